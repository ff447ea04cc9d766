//! Compiles kernels: each distinct text once, however many sessions of a device run it, and for a GPU several at a time.

use super::Device;
#[cfg(not(target_arch = "wasm32"))]
use super::ahead;
use super::cache::Cache;
use super::progress::Progress;
use crate::error::{Error, Result};
use crate::shader::{Access, Kernel};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};
#[cfg(not(target_arch = "wasm32"))]
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

/// Compiled kernels of a plan.
#[derive(Debug)]
pub(crate) struct Pipelines {
    pipelines: Vec<Arc<Compiled>>,
    /// Index of each requested kernel's pipeline, in the order of the request.
    of_kernel: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

pub(super) struct Request {
    pub(super) name: &'static str,
    /// The text, and whether all of it is the crate's.
    text: (String, bool),
    pub(super) bindings: Vec<(u32, Access)>,
}

/// Which kernels a software adapter's driver makes machine code of before they first run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ahead {
    /// All, if they are many.
    IfMany,
    /// All.
    #[cfg(not(target_arch = "wasm32"))]
    All,
    /// All, on further devices, because other threads use this one.
    #[cfg(not(target_arch = "wasm32"))]
    Aside,
}

impl Pipelines {
    /// Compiles `kernels`, for a GPU on as many threads as the machine has processors.
    pub(crate) fn compile(device: &Device, kernels: &[&Kernel]) -> Result<Pipelines> {
        Pipelines::compile_for(device, kernels, Ahead::IfMany)
    }

    /// [`Pipelines::compile`], with machine code made ahead.
    pub(crate) fn compile_for(device: &Device, kernels: &[&Kernel], ahead: Ahead) -> Result<Pipelines> {
        let (requests, of_kernel) = requests(device, kernels)?;
        // Sessions that open at the same time, such as those of ranks that share a device, wait for one of them.
        let _turn = device.inner.compiles.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pipelines: Vec<Option<Arc<Compiled>>> = device.alive().get(&requests);
        let missing = |(request, known): (Request, &Option<_>)| known.is_none().then_some(request);
        let missing: Vec<Request> = requests.into_iter().zip(&pipelines).filter_map(missing).collect();
        let mut compiled = Pipelines::compile_missing(device, missing, ahead)?.into_iter();
        for pipeline in pipelines.iter_mut().filter(|pipeline| pipeline.is_none()) {
            *pipeline = compiled.next();
        }
        Ok(Pipelines { pipelines: pipelines.into_iter().flatten().collect(), of_kernel })
    }

    /// Compiles what no session has.
    fn compile_missing(device: &Device, requests: Vec<Request>, ahead: Ahead) -> Result<Vec<Arc<Compiled>>> {
        #[cfg(not(target_arch = "wasm32"))]
        let rounds = if ahead::pays(device, requests.len(), ahead) { 2 } else { 1 };
        #[cfg(target_arch = "wasm32")]
        let (rounds, _) = (1, ahead);
        let progress = Progress::new(device.inner.compiling.as_ref(), rounds * requests.len());
        let pipelines = compile_all(device, &requests, &progress)?;
        if let Some(cache) = device.cache() {
            cache.save();
        }
        #[cfg(not(target_arch = "wasm32"))]
        if rounds == 2 {
            ahead::run(device, &requests, &pipelines, &progress, ahead == Ahead::Aside)?;
        }
        let pipelines: Vec<Arc<Compiled>> = pipelines.into_iter().map(Arc::new).collect();
        device.alive().add(requests, &pipelines);
        Ok(pipelines)
    }

    pub(crate) fn pipeline(&self, kernel: usize) -> &wgpu::ComputePipeline {
        &self.pipelines[self.of_kernel[kernel]].pipeline
    }

    pub(crate) fn layout(&self, kernel: usize) -> &wgpu::BindGroupLayout {
        &self.pipelines[self.of_kernel[kernel]].layout
    }
}

/// The compiled kernels of a device's sessions, by their text. They live as long as a session has them.
#[derive(Debug, Default)]
pub(super) struct Alive {
    by_text: HashMap<(String, bool), Weak<Compiled>>,
    /// When those that are gone are taken out: at so many.
    tidied_at: usize,
}

impl Alive {
    fn get(&self, requests: &[Request]) -> Vec<Option<Arc<Compiled>>> {
        let known = |request: &Request| self.by_text.get(&request.text).and_then(Weak::upgrade);
        requests.iter().map(known).collect()
    }

    fn add(&mut self, requests: Vec<Request>, pipelines: &[Arc<Compiled>]) {
        if self.by_text.len() >= self.tidied_at {
            self.by_text.retain(|_, pipeline| pipeline.strong_count() > 0);
            self.tidied_at = 64.max(2 * self.by_text.len());
        }
        self.by_text.extend(
            requests.into_iter().map(|request| request.text).zip(pipelines.iter().map(Arc::downgrade)),
        );
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.by_text.values().filter(|pipeline| pipeline.strong_count() > 0).count()
    }
}

impl Device {
    fn alive(&self) -> std::sync::MutexGuard<'_, Alive> {
        self.inner.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of distinct kernels that the device's sessions have compiled. Sessions of one device share them.
    pub fn kernels(&self) -> usize {
        self.alive().count()
    }
}

/// The distinct texts of kernels, and the number of each kernel's.
pub(super) fn requests(device: &Device, kernels: &[&Kernel]) -> Result<(Vec<Request>, Vec<usize>)> {
    let mut requests: Vec<Request> = Vec::new();
    let mut by_source: HashMap<(String, bool), usize> = HashMap::new();
    let mut of_kernel = Vec::with_capacity(kernels.len());
    for kernel in kernels {
        let browser = cfg!(target_arch = "wasm32");
        let source = if browser { kernel.strict_source()? } else { kernel.source()? };
        let text = match device.inner.rewrite {
            Some(rewrite) => (rewrite(&source), false),
            None => (source, kernel.is_own()),
        };
        let index = match by_source.get(&text) {
            Some(&index) => index,
            None => {
                requests.push(Request {
                    name: kernel.name(),
                    text: text.clone(),
                    bindings: kernel.bindings()?,
                });
                by_source.insert(text, requests.len() - 1);
                requests.len() - 1
            }
        };
        of_kernel.push(index);
    }
    Ok((requests, of_kernel))
}

#[cfg(not(target_arch = "wasm32"))]
fn compile_all(device: &Device, requests: &[Request], progress: &Progress<'_>) -> Result<Vec<Compiled>> {
    // A software adapter makes machine code when a kernel first runs; compiling here takes a tenth of that
    // time. Its allocator sets memory aside for each thread, and what it keeps of a kernel fragments that
    // memory: two threads take two megabytes more than one.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if device.caps().kind.is_software() { 1 } else { processors.min(requests.len()) };
    // Longest first: the threads then end together, and short kernels fit into the holes in memory that long
    // ones leave.
    let mut order: Vec<usize> = (0..requests.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(requests[i].text.0.len()));
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<Compiled>)>> = Mutex::new(Vec::with_capacity(requests.len()));
    let work = || {
        while let Some(&i) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = compile_one(device, &requests[i]);
            progress.one();
            done.lock().expect("no thread panics while it holds the list").push((i, result));
        }
    };
    on_threads(threads, work);
    let mut done = done.into_inner().expect("no thread panics while it holds the list");
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Runs `work` on up to `threads` threads, this one included: on as many as the system gives.
#[cfg(not(target_arch = "wasm32"))]
fn on_threads(threads: usize, work: impl Fn() + Copy + Send) {
    std::thread::scope(|scope| {
        for _ in 1..threads {
            if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
}

#[cfg(target_arch = "wasm32")]
fn compile_all(device: &Device, requests: &[Request], progress: &Progress<'_>) -> Result<Vec<Compiled>> {
    requests.iter().map(|request| compile_one(device, request).inspect(|_| progress.one())).collect()
}

pub(super) fn compile_one(device: &Device, request: &Request) -> Result<Compiled> {
    let compiled = device.guarded(|raw| {
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(request.name),
            source: wgpu::ShaderSource::Wgsl(request.text.0.as_str().into()),
        };
        let module = if request.text.1 {
            // SAFETY: the kernel is this crate's own. It bounds its accesses by the shapes that are baked into
            // it, ends its loops by constants, and divides by sizes that are not zero. The tests run every
            // kernel with the checks that are left out here.
            unsafe { raw.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
        } else {
            raw.create_shader_module(descriptor)
        };
        let entries: Vec<wgpu::BindGroupLayoutEntry> = request
            .bindings
            .iter()
            .map(|&(binding, access)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Storage { read_only: access == Access::Read },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let layout = raw.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(request.name),
            entries: &entries,
        });
        let pipeline_layout = raw.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(request.name),
            bind_group_layouts: &[Some(&layout)],
            ..Default::default()
        });
        let pipeline = raw.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(request.name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: device.cache().map(Cache::raw),
        });
        Compiled { pipeline, layout }
    });
    compiled.map_err(|e| match e {
        Error::Device { message, .. } => Error::Shader { shader: request.name.to_owned(), message },
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs in a separate process, in which a thread's stack would be larger than any memory.
    #[test]
    fn work_is_done_where_there_are_no_threads() {
        const NAME: &str = "device::pipeline::tests::work_is_done_where_there_are_no_threads";
        let done = AtomicUsize::new(0);
        let work = || {
            done.fetch_add(1, Ordering::Relaxed);
        };
        if std::env::var_os("RUST_MIN_STACK").is_none_or(|bytes| bytes != "70368744177664") {
            on_threads(3, work);
            assert_eq!(done.into_inner(), 3);
            let program = std::env::current_exe().expect("a test knows its own path");
            let output = std::process::Command::new(program)
                .args(["--exact", NAME, "--test-threads=1"])
                .env("RUST_MIN_STACK", "70368744177664")
                .output()
                .expect("the program can be started");
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && text.contains("1 passed"), "{text}");
            return;
        }
        assert!(std::thread::Builder::new().spawn(|| ()).is_err(), "there are no threads here");
        on_threads(3, work);
        assert_eq!(done.into_inner(), 1);
    }
}
