// Terms of a long sum that are added before they join the rest: rounding grows with a stretch and with the
// number of stretches, not with their product.
const STRETCH: u32 = 32u;
