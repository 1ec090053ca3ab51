//! The wire between the shim and the sidecar: one method table, its types, its tools and its error codes.
pub mod answers;
pub mod code_tools;
pub mod errors;
pub mod methods;
pub mod tools;
pub mod types;
mod view_types;

#[cfg(test)]
mod emit;
#[cfg(test)]
mod examples;
