//! Floats of other formats, as files may hold them, to f32; and floats rounded to f16.

use half::{bf16, f16};
use safetensors::tensor::Dtype;

/// Bytes of one number, for the formats that are read.
pub(super) fn bytes_of(dtype: Dtype) -> Option<usize> {
    match dtype {
        Dtype::F16 | Dtype::BF16 => Some(2),
        Dtype::F32 => Some(4),
        Dtype::F64 => Some(8),
        _ => None,
    }
}

/// Numbers of one of these formats, little-endian, as f32. f16 and bf16 convert exactly; f64 rounds to the nearest, and
/// to infinity beyond the largest f32, as PyTorch's `.to(torch.float32)`. Returns how many became infinite so.
pub(super) fn convert(dtype: Dtype, bytes: &[u8], numbers: &mut [f32]) -> usize {
    let mut overflowed = 0;
    match dtype {
        Dtype::F16 => each(bytes, numbers, |bytes| f16::from_le_bytes(bytes).to_f32()),
        Dtype::BF16 => each(bytes, numbers, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        Dtype::F64 => each(bytes, numbers, |bytes| {
            let wide = f64::from_le_bytes(bytes);
            let number = wide as f32;
            overflowed += usize::from(number.is_infinite() && wide.is_finite());
            number
        }),
        _ => each(bytes, numbers, f32::from_le_bytes),
    }
    overflowed
}

/// Floats of a longer format, or of bf16, rounded to the nearest f16. `None` for other formats, and if a finite number is
/// past f16's range.
pub(super) fn to_f16(dtype: Dtype, bytes: &[u8]) -> Option<Vec<u8>> {
    fn each<const N: usize>(bytes: &[u8], of: impl Fn([u8; N]) -> (f16, bool)) -> Option<Vec<u8>> {
        let chunks = bytes.as_chunks::<N>().0;
        let mut halves = Vec::with_capacity(2 * chunks.len());
        for chunk in chunks {
            let (half, finite) = of(*chunk);
            if finite && !half.is_finite() {
                return None;
            }
            halves.extend(half.to_le_bytes());
        }
        Some(halves)
    }
    match dtype {
        Dtype::F32 => each(bytes, |bytes| {
            let number = f32::from_le_bytes(bytes);
            (f16::from_f32(number), number.is_finite())
        }),
        Dtype::F64 => each(bytes, |bytes| {
            let number = f64::from_le_bytes(bytes);
            (f16::from_f64(number), number.is_finite())
        }),
        Dtype::BF16 => each(bytes, |bytes| {
            let number = bf16::from_le_bytes(bytes);
            (f16::from_f32(number.to_f32()), number.is_finite())
        }),
        _ => None,
    }
}

fn each<const N: usize>(bytes: &[u8], numbers: &mut [f32], mut of: impl FnMut([u8; N]) -> f32) {
    for (bytes, number) in bytes.as_chunks().0.iter().zip(numbers) {
        *number = of(*bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A float by its definition, in f64.
    fn defined(bits: u16, exponent_bits: u32, fraction_bits: u32) -> f64 {
        let fraction = f64::from(bits & ((1 << fraction_bits) - 1)) / f64::from(1 << fraction_bits);
        let exponent = i32::from(bits >> fraction_bits & ((1 << exponent_bits) - 1));
        let (bias, sign) = ((1 << (exponent_bits - 1)) - 1, if bits >> 15 == 1 { -1.0 } else { 1.0 });
        if exponent == (1 << exponent_bits) - 1 {
            return if fraction == 0.0 { sign * f64::INFINITY } else { f64::NAN };
        }
        let (whole, exponent) = if exponent == 0 { (0.0, 1) } else { (1.0, exponent) };
        sign * (whole + fraction) * 2f64.powi(exponent - bias)
    }

    #[test]
    fn every_short_float_is_exact() {
        for (dtype, exponent_bits, fraction_bits) in [(Dtype::F16, 5, 10), (Dtype::BF16, 8, 7)] {
            for bits in 0..=u16::MAX {
                let mut found = [0.0];
                assert_eq!(convert(dtype, &bits.to_le_bytes(), &mut found), 0);
                let expected = defined(bits, exponent_bits, fraction_bits);
                let same = found[0].is_nan() && expected.is_nan()
                    || f64::from(found[0]).to_bits() == expected.to_bits();
                assert!(same, "{dtype:?} {bits:#06x} is {expected}, found {}", found[0]);
            }
        }
    }

    #[test]
    fn long_floats_round_and_overflow() {
        let numbers =
            [1.0 + 2f64.powi(-24), f64::from(f32::MAX) * 1.001, -1e300, f64::INFINITY, f64::NAN, 1e-50];
        let bytes: Vec<u8> = numbers.iter().flat_map(|x: &f64| x.to_le_bytes()).collect();
        let mut found = [7.0; 6];
        assert_eq!(convert(Dtype::F64, &bytes, &mut found), 2);
        assert_eq!(found[..4], [1.0, f32::INFINITY, f32::NEG_INFINITY, f32::INFINITY]);
        assert!(found[4].is_nan() && found[5] == 0.0);
    }

    #[test]
    fn floats_round_to_f16_or_stay() {
        let halves = |numbers: &[f32]| {
            let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
            let wide: Vec<u8> = numbers.iter().flat_map(|&x| f64::from(x).to_le_bytes()).collect();
            let found = to_f16(Dtype::F32, &bytes);
            assert_eq!(found, to_f16(Dtype::F64, &wide));
            found.map(|bytes| bytes.as_chunks().0.iter().map(|x| u16::from_le_bytes(*x)).collect::<Vec<_>>())
        };
        // 2049 lies halfway between two, and goes to the even one.
        let found = halves(&[1.0, -2.5, 2049.0, 65_519.0, f32::INFINITY, 1e-9]);
        assert_eq!(found, Some(vec![0x3c00, 0xc100, 0x6800, 0x7bff, 0x7c00, 0]));
        assert!(halves(&[f32::NAN]).is_some_and(|half| f16::from_bits(half[0]).is_nan()));
        assert_eq!(halves(&[1.0, 65_520.0]), None);
        assert_eq!(to_f16(Dtype::BF16, &bf16::from_f32(-3.0).to_le_bytes()), Some(vec![0x00, 0xc2]));
        assert_eq!(to_f16(Dtype::I64, &[0; 8]), None);
    }
}
