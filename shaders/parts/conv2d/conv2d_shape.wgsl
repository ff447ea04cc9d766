// The shape of a convolution (cross-correlation): input (IMAGES, GROUPS IN, H, W), weight
// (GROUPS OUT, IN, KH, KW), output (IMAGES, GROUPS OUT, OH, OW), all row-major. IN and OUT count
// the channels of one group. Stride S, padding P and dilation D are given per axis.
const IMAGES: u32 = 1u; // shape
const GROUPS: u32 = 1u; // shape
const IN: u32 = 1u; // shape
const OUT: u32 = 1u; // shape
const H: u32 = 8u; // shape
const W: u32 = 8u; // shape
const OH: u32 = 8u; // shape
const OW: u32 = 8u; // shape
const KH: u32 = 1u; // shape
const KW: u32 = 1u; // shape
const SH: u32 = 1u; // shape
const SW: u32 = 1u; // shape
const PH: i32 = 0i; // shape
const PW: i32 = 0i; // shape
const DH: u32 = 1u; // shape
const DW: u32 = 1u; // shape

// A place in the plane of an image that a window starts from.
struct Pixel {
    image: u32,
    h: i32,
    w: i32,
}

// One weight's place: channel and offset within the window.
struct Tap {
    channel: u32,
    h: u32,
    w: u32,
}

fn tap_of(k: u32) -> Tap {
    return Tap(k / (KH * KW), k / KW % KH, k % KW);
}
