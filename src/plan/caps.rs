//! What a plan has to know of an adapter. A plan needs no more than this, so it needs no GPU.

use std::fmt;

/// Loop iterations that one invocation may make, all loops together. Mesa's software adapter ends an
/// invocation's loops after 65,535 and drops the rest without an error; on a GPU so many are a sum that one
/// lane makes alone while the others wait. Half of Mesa's number, because it counts for lanes that run together,
/// whose loops may differ. Plans split longer work and merge the parts in order.
pub const MAX_ITERATIONS: u64 = 1 << 15;

/// Kind of adapter: what the choice of kernel variants goes by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AdapterKind {
    /// A graphics card with memory of its own.
    Discrete,
    /// A GPU that shares memory with the processor.
    Integrated,
    /// Apple's GPUs.
    Apple,
    /// A driver that runs kernels on the processor.
    Software,
}

impl fmt::Display for AdapterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AdapterKind::Discrete => "discrete",
            AdapterKind::Integrated => "integrated",
            AdapterKind::Apple => "apple",
            AdapterKind::Software => "software",
        })
    }
}

/// Limits and traits of an adapter.
#[derive(Clone, PartialEq, Debug)]
pub struct Caps {
    /// Kind of adapter.
    pub kind: AdapterKind,
    /// Largest part of a buffer that can be bound, in bytes.
    pub max_binding_bytes: u64,
    /// Largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// Storage buffers that one kernel can bind.
    pub max_storage_buffers: u32,
    /// Workgroup memory of one workgroup, in bytes.
    pub max_workgroup_bytes: u32,
    /// Invocations of one workgroup.
    pub max_invocations: u32,
    /// Workgroups in each dimension of a dispatch.
    pub max_workgroups: u32,
    /// Alignment of a bound range's start, in bytes.
    pub offset_alignment: u32,
    /// Whether kernels may use subgroup operations.
    pub subgroups: bool,
    /// Invocations of a subgroup, where it is the same for every kernel; 0 where it varies.
    pub subgroup_size: u32,
}

impl Caps {
    /// WebGPU's default limits: what every browser and every adapter offers.
    pub fn webgpu_defaults(kind: AdapterKind) -> Self {
        Caps {
            kind,
            max_binding_bytes: 128 << 20,
            max_buffer_bytes: 256 << 20,
            max_storage_buffers: 8,
            max_workgroup_bytes: 16 << 10,
            max_invocations: 256,
            max_workgroups: 65_535,
            offset_alignment: 256,
            subgroups: false,
            subgroup_size: 0,
        }
    }
}
