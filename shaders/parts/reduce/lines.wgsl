// Lines of a tensor (N, LENGTH, PLANE) along its middle dimension.
const LENGTH: u32 = 64u; // shape
const PLANE: u32 = 1u; // shape
