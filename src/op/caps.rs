//! An adapter's limits and traits. A plan needs no more than these, so it needs no GPU.

use crate::error::{Error, Result};
use std::fmt;

/// Loop iterations that one invocation may make, all loops together. Plans split longer work and merge the parts in
/// order. Mesa's software adapter ends an invocation's loops after 65,535 iterations and drops the rest without an
/// error. On a GPU, so long a loop is a sum that one lane makes alone while the others wait. This is half of Mesa's
/// number, because Mesa counts for lanes that run together, whose loops may differ.
pub const MAX_ITERATIONS: u64 = 1 << 15;

/// Kind of adapter. Operators state their preferred variants for each kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum AdapterKind {
    /// A graphics card with memory of its own.
    Discrete,
    /// A GPU that shares memory with the processor.
    Integrated,
    /// Apple's GPUs.
    Apple,
    /// A driver that runs kernels on the processor.
    Software,
    /// SwiftShader, the driver that Chromium has where there is no GPU. It runs kernels on the processor too.
    SwiftShader,
}

impl AdapterKind {
    /// Whether kernels run on the processor.
    pub const fn is_software(self) -> bool {
        matches!(self, AdapterKind::Software | AdapterKind::SwiftShader)
    }
}

impl fmt::Display for AdapterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AdapterKind::Discrete => "discrete",
            AdapterKind::Integrated => "integrated",
            AdapterKind::Apple => "apple",
            AdapterKind::Software => "software",
            AdapterKind::SwiftShader => "swiftshader",
        })
    }
}

/// Cooperative matrices of an adapter: subgroups multiply square ones of f16 and add the products in f32.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CooperativeMatrix {
    /// Rows and columns: 8 or 16.
    pub side: u32,
    /// The fewest invocations of a subgroup.
    pub subgroup: u32,
}

impl CooperativeMatrix {
    /// Whether kernels for `planned` run here: a subgroup may have more invocations than planned.
    fn runs(self, planned: CooperativeMatrix) -> bool {
        self.side == planned.side && self.subgroup >= planned.subgroup
    }
}

/// Limits and traits of an adapter.
///
/// ```
/// use wgrad::Caps;
/// use wgrad::op::AdapterKind;
///
/// let caps = Caps::webgpu_defaults(AdapterKind::Integrated);
/// assert_eq!(caps.max_binding_bytes, 128 << 20);
/// // Plan for an adapter that binds more.
/// let caps = Caps { max_binding_bytes: 1 << 30, max_buffer_bytes: 1 << 30, ..caps };
/// ```
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
    /// Whether kernels may use f16, WebGPU's `shader-f16`.
    pub f16: bool,
    /// Invocations of a subgroup, where it is the same for every kernel; 0 where it varies.
    pub subgroup_size: u32,
    /// Cooperative matrices, which plans of mixed precision multiply by; a device is opened with them if asked
    /// ([`DeviceOptions::cooperative_matrix`](crate::DeviceOptions::cooperative_matrix)).
    pub cooperative_matrix: Option<CooperativeMatrix>,
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
            f16: false,
            subgroup_size: 0,
            cooperative_matrix: None,
        }
    }

    /// The largest page of an arena: a buffer that can be bound whole.
    pub(crate) fn page_bytes(&self) -> u64 {
        self.max_binding_bytes.min(self.max_buffer_bytes)
    }

    /// Fails for limits that no adapter has and no plan can keep.
    pub(crate) fn check(&self) -> Result<()> {
        let limits = [
            ("max_binding_bytes", self.max_binding_bytes, 1),
            ("max_buffer_bytes", self.max_buffer_bytes, 1),
            ("max_storage_buffers", self.max_storage_buffers.into(), 1),
            ("max_workgroups", self.max_workgroups.into(), 1),
            // Every adapter that WebGPU runs on has these, and kernels rely on them.
            ("max_workgroup_bytes", self.max_workgroup_bytes.into(), 16 << 10),
            ("max_invocations", self.max_invocations.into(), 256),
        ];
        let message = if let Some((name, found, least)) = limits.into_iter().find(|(_, n, least)| n < least) {
            format!("{name} is {found}, expected at least {least}")
        } else if !self.offset_alignment.is_power_of_two() || self.offset_alignment > 256 {
            format!("offset_alignment is {}, expected a power of two up to 256", self.offset_alignment)
        } else if self.subgroup_size != 0
            && !(self.subgroup_size.is_power_of_two() && self.subgroup_size <= 128)
        {
            format!("subgroup_size is {}, expected a power of two up to 128 or 0", self.subgroup_size)
        } else if let Some(CooperativeMatrix { side, subgroup }) = self.cooperative_matrix
            && !([8, 16].contains(&side) && subgroup.is_power_of_two() && subgroup <= 128)
        {
            format!(
                "cooperative_matrix has side {side} and subgroup {subgroup}, expected 8 or 16, and a power of two up to 128"
            )
        } else {
            return Ok(());
        };
        Err(Error::Setting {
            setting: "caps",
            message: format!("{message}; take Device::caps or Caps::webgpu_defaults"),
        })
    }

    /// Fails without f16, which mixed precision needs.
    pub(crate) fn check_f16(&self) -> Result<()> {
        if self.f16 {
            return Ok(());
        }
        Err(Error::Setting {
            setting: "precision",
            message: "mixed precision needs an adapter with f16 (WebGPU's shader-f16); plan in f32, or choose another adapter".into(),
        })
    }

    /// Fails if `device` offers less than these caps: a plan for them can't run there.
    pub(crate) fn check_within(&self, device: &Caps) -> Result<()> {
        let limits = [
            ("max_binding_bytes", self.max_binding_bytes, device.max_binding_bytes),
            ("max_buffer_bytes", self.max_buffer_bytes, device.max_buffer_bytes),
            ("max_storage_buffers", self.max_storage_buffers.into(), device.max_storage_buffers.into()),
            ("max_workgroup_bytes", self.max_workgroup_bytes.into(), device.max_workgroup_bytes.into()),
            ("max_invocations", self.max_invocations.into(), device.max_invocations.into()),
            ("max_workgroups", self.max_workgroups.into(), device.max_workgroups.into()),
            ("subgroups", self.subgroups.into(), device.subgroups.into()),
            ("f16", self.f16.into(), device.f16.into()),
        ];
        let message = if let Some((name, ours, most)) = limits.into_iter().find(|(_, ours, most)| ours > most)
        {
            format!("{name} of {ours}, the device has {most}")
        } else if self.subgroups && self.subgroup_size != device.subgroup_size && self.subgroup_size != 0 {
            format!("a subgroup_size of {}, the device has {}", self.subgroup_size, device.subgroup_size)
        } else if let Some(ours) = self.cooperative_matrix
            && !device.cooperative_matrix.is_some_and(|device| device.runs(ours))
        {
            format!("{ours:?}, the device has {:?}", device.cooperative_matrix)
        } else {
            return Ok(());
        };
        Err(Error::Setting {
            setting: "caps",
            message: format!(
                "the plan was made for {message}; plan the graph with this device's Device::caps"
            ),
        })
    }
}
