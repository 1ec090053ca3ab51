//! `gantry sidecar`
use super::{exit, output};

pub fn run() -> u8 {
    match crate::app::sidecar() {
        Ok(()) => exit::DONE,
        Err(error) => {
            output::error(&format!("{error:#}"));
            exit::NOT_READY
        }
    }
}
