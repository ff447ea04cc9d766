//! Has Mesa's software driver make machine code before the first step, on several threads.
//!
//! That driver compiles a kernel when it first runs, on the one thread of a device's queue, so that the first step of a
//! large network takes many seconds. Here each kernel runs on no workgroups. If that takes long, further devices of the
//! same adapter take kernels from the list's other end. What they make reaches this device through the driver's cache
//! on disk. GPUs' drivers compile in `pipeline`.

use super::pipeline::{Ahead, Compiled, Request, compile_one};
use super::progress::Progress;
use super::{Buffer, Device, DeviceOptions};
use crate::error::{Error, Result};
use crate::shader::Access;
use std::ops::Range;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Fewer kernels compile in the first step, unless all are asked for.
const FEW: usize = 32;

/// When it has taken long, and kernels that are then worth a device of their own.
const LONG: Duration = Duration::from_millis(300);
const WORTH: usize = 8;

/// The most further devices.
const MOST_DEVICES: usize = 7;

/// Bytes of the buffer that stands for each operand: more than any kernel declares.
const BYTES: u64 = 1 << 16;

/// Whether so many kernels are compiled before the first step.
pub(super) fn pays(device: &Device, kernels: usize, ahead: Ahead) -> bool {
    device.polls() && device.caps().kind.is_software() && (kernels >= FEW || ahead != Ahead::IfMany)
}

/// Has the driver compile what it would compile in the first step. Kernels that it does not compile here are left to
/// that. With `aside` this device's queue stays free for others, if the driver hands on what further devices make.
///
/// # Errors
/// A lost device.
pub(super) fn run(
    device: &Device,
    requests: &[Request],
    compiled: &[Compiled],
    progress: &Progress<'_>,
    aside: bool,
) -> Result<()> {
    if aside && further_devices(requests.len()) > 0 {
        further(device, requests, &Mutex::new(0..requests.len()), &Progress::new(None, 0));
    }
    let left = Mutex::new(0..requests.len());
    let own = Operands::new(device)?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let mut alone = !aside;
        while let Some(i) = take(&left, Range::next) {
            match own.run_on_nothing(device, &requests[i], &compiled[i]) {
                Err(lost @ Error::DeviceLost { .. }) => return Err(lost),
                Err(_) => return Ok(()),
                Ok(()) => progress.one(),
            }
            if alone && start.elapsed() > LONG {
                alone = false;
                for _ in 0..further_devices(left.lock().map_or(0, |left| left.len())) {
                    let work = || further(device, requests, &left, progress);
                    if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                        break;
                    }
                }
            }
        }
        Ok(())
    })
}

fn take(left: &Mutex<Range<usize>>, which: impl FnOnce(&mut Range<usize>) -> Option<usize>) -> Option<usize> {
    which(&mut *left.lock().ok()?)
}

/// Devices for so many kernels, one for each processor but this thread's, if the driver hands on what they make.
fn further_devices(kernels: usize) -> usize {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| value != "0" && value != "false");
    if is_set("MESA_SHADER_CACHE_DISABLE") || is_set("MESA_GLSL_CACHE_DISABLE") {
        return 0;
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (processors - 1).min(kernels / WORTH).min(MOST_DEVICES)
}

/// Compiles kernels from the end of the list on a device of its own. What fails here is left to the first step.
fn further(device: &Device, requests: &[Request], left: &Mutex<Range<usize>>, progress: &Progress<'_>) {
    let Some(index) = device.summary().index else { return };
    let options = DeviceOptions::default().adapter_index(index).cache(None);
    let Ok(own) = Device::open_with(&options) else { return };
    let Ok(operands) = Operands::new(&own) else { return };
    while let Some(i) = take(left, Range::next_back) {
        let compiled = compile_one(&own, &requests[i]);
        if compiled.and_then(|compiled| operands.run_on_nothing(&own, &requests[i], &compiled)).is_err() {
            return;
        }
        progress.one();
    }
}

/// What stands for operands: one for those that are read, and one for those that are written.
struct Operands {
    read: Buffer,
    written: Buffer,
}

impl Operands {
    fn new(device: &Device) -> Result<Operands> {
        Ok(Operands { read: device.buffer("operand", BYTES)?, written: device.buffer("result", BYTES)? })
    }

    /// Runs a kernel on no workgroups, and waits for it.
    fn run_on_nothing(&self, device: &Device, request: &Request, compiled: &Compiled) -> Result<()> {
        let entries: Vec<wgpu::BindGroupEntry<'_>> = request
            .bindings
            .iter()
            .map(|&(binding, access)| {
                let buffer = if access == Access::Read { &self.read } else { &self.written };
                wgpu::BindGroupEntry { binding, resource: buffer.raw.as_entire_binding() }
            })
            .collect();
        device.guarded(|raw| {
            let group = raw.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(request.name),
                layout: &compiled.layout,
                entries: &entries,
            });
            let mut encoder = raw.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&compiled.pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(0, 0, 0);
            drop(pass);
            device.queue().submit([encoder.finish()])
        })?;
        device.wait()
    }
}

#[cfg(test)]
mod tests {
    use super::super::pipeline::requests;
    use super::*;
    use crate::shader::{Kernel, kernels};

    /// Each text is compiled by one device, from both ends.
    #[test]
    fn devices_share_the_kernels() -> Result<()> {
        let device = Device::open()?;
        let fills: Vec<Kernel> =
            (1..=FEW as u32).map(|n| Kernel::new(&kernels::fill).with("ELEMENTS", n)).collect();
        let (requests, of_kernel) = requests(&device, &fills.iter().collect::<Vec<_>>())?;
        assert_eq!((requests.len(), of_kernel.len()), (FEW, FEW));
        let progress = Progress::new(None, FEW);
        let left = Mutex::new(0..requests.len());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| further(&device, &requests, &left, &progress));
            }
        });
        assert!(left.into_inner().expect("no thread panicked").is_empty());
        assert_eq!(progress.done(), FEW);
        Ok(())
    }
}
