//! Element types, their numbers in onnx.proto, and what they hold.

use half::{bf16, f16};
use std::fmt;

/// Element types of ONNX that are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ElementType {
    /// 32-bit float.
    F32,
    /// 16-bit float.
    F16,
    /// bfloat16.
    Bf16,
    /// 64-bit float.
    F64,
    /// Signed integers of 4 bits, two in a byte.
    I4,
    /// 8-bit signed integer.
    I8,
    /// 16-bit signed integer.
    I16,
    /// 32-bit signed integer.
    I32,
    /// 64-bit signed integer.
    I64,
    /// Unsigned integers of 4 bits, two in a byte.
    U4,
    /// Byte.
    U8,
    /// 16-bit unsigned integer.
    U16,
    /// 32-bit unsigned integer.
    U32,
    /// 64-bit unsigned integer.
    U64,
    /// Truth value.
    Bool,
}

use ElementType::{Bf16, Bool, F16, F32, F64, I4, I8, I16, I32, I64, U4, U8, U16, U32, U64};

/// Numbers of onnx.proto, names, bits of one element.
const TYPES: [(i32, ElementType, &str, usize); 15] = [
    (1, F32, "float32", 32),
    (2, U8, "uint8", 8),
    (3, I8, "int8", 8),
    (4, U16, "uint16", 16),
    (5, I16, "int16", 16),
    (6, I32, "int32", 32),
    (7, I64, "int64", 64),
    (9, Bool, "bool", 8),
    (10, F16, "float16", 16),
    (11, F64, "float64", 64),
    (12, U32, "uint32", 32),
    (13, U64, "uint64", 64),
    (16, Bf16, "bfloat16", 16),
    (21, U4, "uint4", 4),
    (22, I4, "int4", 4),
];

/// Names of types that are not read.
const OTHERS: [(i32, &str); 14] = [
    (0, "undefined"),
    (8, "string"),
    (14, "complex64"),
    (15, "complex128"),
    (17, "float8e4m3fn"),
    (18, "float8e4m3fnuz"),
    (19, "float8e5m2"),
    (20, "float8e5m2fnuz"),
    (23, "float4e2m1"),
    (24, "float8e8m0"),
    (25, "uint2"),
    (26, "int2"),
    (27, "float6e2m3"),
    (28, "float6e3m2"),
];

impl ElementType {
    /// The type of a number of onnx.proto. The message of a failure names the type.
    pub(super) fn of(number: i64) -> Result<ElementType, String> {
        if let Some(found) = TYPES.iter().find(|row| i64::from(row.0) == number) {
            return Ok(found.1);
        }
        let name =
            OTHERS.iter().find(|row| i64::from(row.0) == number).map_or("of an unknown number", |row| row.1);
        Err(format!("element type {name} ({number}) is not supported; convert the model to float32"))
    }

    fn row(self) -> &'static (i32, ElementType, &'static str, usize) {
        TYPES.iter().find(|row| row.1 == self).expect("the table has every type")
    }

    pub(super) fn bits(self) -> usize {
        self.row().3
    }

    /// Whether it is a float.
    pub fn is_float(self) -> bool {
        matches!(self, F32 | F16 | Bf16 | F64)
    }

    /// The least and the largest integer of an integer type, as far as `i64` holds them.
    pub(super) fn range(self) -> [i64; 2] {
        match self {
            I4 => [-8, 7],
            U4 => [0, 15],
            I8 => [i8::MIN.into(), i8::MAX.into()],
            U8 => [0, u8::MAX.into()],
            I16 => [i16::MIN.into(), i16::MAX.into()],
            U16 => [0, u16::MAX.into()],
            I32 => [i32::MIN.into(), i32::MAX.into()],
            U32 => [0, u32::MAX.into()],
            U64 => [0, i64::MAX],
            Bool => [0, 1],
            I64 | F32 | F16 | Bf16 | F64 => [i64::MIN, i64::MAX],
        }
    }

    /// An integer as this type holds it: its lowest bits.
    pub(super) fn wrap(self, number: i64) -> i64 {
        match self {
            I4 => number << 60 >> 60,
            U4 => number & 15,
            I8 => number as i8 as i64,
            U8 => number as u8 as i64,
            I16 => number as i16 as i64,
            U16 => number as u16 as i64,
            I32 => number as i32 as i64,
            U32 => number as u32 as i64,
            _ => number,
        }
    }

    /// A float as this type holds it, if it has at most 32 bits.
    pub(super) fn round(self, number: f64) -> f32 {
        let number = number as f32;
        match self {
            F16 => f16::from_f32(number).to_f32(),
            Bf16 => bf16::from_f32(number).to_f32(),
            _ => number,
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().2)
    }
}
