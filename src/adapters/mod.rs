//! The ports, served: one folder per outside thing. No adapter knows another.
