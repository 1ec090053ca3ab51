//! Whole missions: the good way through, and how they end when work fails.
use super::outside::*;
use super::*;

#[test]
fn a_diamond_is_carried_out_in_order_and_side_by_side() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run();
    println!("{}", w.story());
    assert_eq!(w.state(&m), "completed");
}
