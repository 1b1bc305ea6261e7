//! One module a command.

pub(crate) mod compare;
pub(crate) mod doctor;
pub(crate) mod playground;
pub(crate) mod run;
