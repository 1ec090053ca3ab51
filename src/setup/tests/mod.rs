mod arb;
mod broken;
mod fixtures;
mod rig;
mod round_trip;
