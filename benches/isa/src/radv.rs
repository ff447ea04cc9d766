//! Compiles WGSL with Mesa's RADV driver for an AMD GPU that is not there.
//!
//! `RADV_FORCE_FAMILY` makes the driver open a device without hardware behind it. The kernel is translated
//! with naga as in wgpu, a pipeline is created, and the compiler's statistics and assembly are read back.
//! Nothing is executed.

use ash::vk;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString};

/// The compiler's statistics and assembly of a kernel.
pub struct Compiled {
    /// Registers, spills, code size and so on, under the driver's names.
    pub statistics: BTreeMap<String, f64>,
    /// The machine code as text.
    pub assembly: String,
}

/// A device of the driver, without hardware behind it.
pub struct Radv {
    instance: ash::Instance,
    device: ash::Device,
    /// The driver's name for the chip.
    pub name: String,
    // Keeps the loader in memory; dropped last.
    _entry: ash::Entry,
}

impl Radv {
    /// Opens the device that the driver pretends to have.
    pub fn open() -> Result<Radv, String> {
        // SAFETY: the loader is the system's; the objects made here are destroyed in `drop`, and
        // each structure lives until the call that reads it returns.
        unsafe {
            let entry = ash::Entry::load().map_err(|e| format!("no Vulkan loader: {e}"))?;
            let app = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
            let info = vk::InstanceCreateInfo::default().application_info(&app);
            let instance =
                entry.create_instance(&info, None).map_err(|e| format!("no Vulkan driver: {e}"))?;
            let gpus = instance.enumerate_physical_devices().map_err(|e| format!("no Vulkan device: {e}"))?;
            let name = |gpu| {
                let properties = instance.get_physical_device_properties(gpu);
                CStr::from_ptr(properties.device_name.as_ptr()).to_string_lossy().into_owned()
            };
            let gpu = gpus.into_iter().find(|&gpu| name(gpu).contains("RADV"));
            let gpu = gpu.ok_or("the driver offers no RADV device")?;
            let name = name(gpu);
            let queues =
                [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&[1.0])];
            let mut extensions = vec![vk::KHR_PIPELINE_EXECUTABLE_PROPERTIES_NAME.as_ptr()];
            let known = instance.enumerate_device_extension_properties(gpu);
            let known = known.map_err(|e| format!("no list of extensions: {e}"))?;
            let matrices = ash::khr::cooperative_matrix::NAME;
            let has_matrices = known.iter().any(|known| known.extension_name_as_c_str() == Ok(matrices));
            let mut cooperative =
                vk::PhysicalDeviceCooperativeMatrixFeaturesKHR::default().cooperative_matrix(has_matrices);
            let mut halves =
                vk::PhysicalDevice16BitStorageFeatures::default().storage_buffer16_bit_access(true);
            let mut executable = vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default()
                .pipeline_executable_info(true);
            let mut memory = vk::PhysicalDeviceVulkan12Features::default()
                .vulkan_memory_model(true)
                .shader_float16(true)
                .vulkan_memory_model_device_scope(true);
            let features = vk::PhysicalDeviceFeatures::default().robust_buffer_access(true);
            let mut info = vk::DeviceCreateInfo::default()
                .queue_create_infos(&queues)
                .enabled_features(&features)
                .push_next(&mut executable)
                .push_next(&mut halves)
                .push_next(&mut memory);
            if has_matrices {
                extensions.push(matrices.as_ptr());
                info = info.push_next(&mut cooperative);
            }
            let info = info.enabled_extension_names(&extensions);
            let device = instance.create_device(gpu, &info, None).map_err(|e| format!("{name}: {e}"))?;
            Ok(Radv { instance, device, name, _entry: entry })
        }
    }

    /// Compiles the entry point `main` of a WGSL text.
    pub fn compile(&self, source: &str) -> Result<Compiled, String> {
        let (spirv, bindings) = translate(source)?;
        let fail = |e: vk::Result| format!("the driver refused the kernel: {e}");
        // SAFETY: every handle is this device's and destroyed once, after its last use.
        unsafe {
            let slots: Vec<_> = bindings
                .iter()
                .map(|&binding| {
                    vk::DescriptorSetLayoutBinding::default()
                        .binding(binding)
                        .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
                        .descriptor_count(1)
                        .stage_flags(vk::ShaderStageFlags::COMPUTE)
                })
                .collect();
            let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&slots);
            let sets = [self.device.create_descriptor_set_layout(&info, None).map_err(fail)?];
            let info = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
            let layout = self.device.create_pipeline_layout(&info, None).map_err(fail)?;
            let info = vk::ShaderModuleCreateInfo::default().code(&spirv);
            let module = self.device.create_shader_module(&info, None).map_err(fail)?;
            let entry = CString::new("main").expect("the name has no zero byte");
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(&entry);
            let info = vk::ComputePipelineCreateInfo::default().layout(layout).stage(stage).flags(
                vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR
                    | vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR,
            );
            let pipeline = self
                .device
                .create_compute_pipelines(vk::PipelineCache::null(), &[info], None)
                .map_err(|(_, e)| fail(e))?[0];
            let compiled = self.describe(pipeline);
            self.device.destroy_pipeline(pipeline, None);
            self.device.destroy_shader_module(module, None);
            self.device.destroy_pipeline_layout(layout, None);
            self.device.destroy_descriptor_set_layout(sets[0], None);
            compiled
        }
    }

    /// Reads statistics and assembly of a pipeline.
    ///
    /// # Safety
    /// The pipeline is this device's and was made with both captured.
    unsafe fn describe(&self, pipeline: vk::Pipeline) -> Result<Compiled, String> {
        let fail = |e: vk::Result| format!("the driver does not describe the kernel: {e}");
        let text = |name: &[std::ffi::c_char]| {
            name.iter().take_while(|&&c| c != 0).map(|&c| c as u8 as char).collect::<String>()
        };
        let calls = ash::khr::pipeline_executable_properties::Device::new(&self.instance, &self.device);
        let info = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline);
        // SAFETY: as the caller promises; the buffers below are as long as the driver asks for.
        unsafe {
            let mut statistics = BTreeMap::new();
            for statistic in calls.get_pipeline_executable_statistics(&info).map_err(fail)? {
                let value = match statistic.format {
                    vk::PipelineExecutableStatisticFormatKHR::FLOAT64 => statistic.value.f64,
                    vk::PipelineExecutableStatisticFormatKHR::INT64 => statistic.value.i64 as f64,
                    vk::PipelineExecutableStatisticFormatKHR::BOOL32 => f64::from(statistic.value.b32),
                    _ => statistic.value.u64 as f64,
                };
                statistics.insert(text(&statistic.name), value);
            }
            let mut texts = calls.get_pipeline_executable_internal_representations(&info).map_err(fail)?;
            let mut buffers: Vec<Vec<u8>> = texts.iter().map(|t| vec![0; t.data_size]).collect();
            for (text, buffer) in texts.iter_mut().zip(&mut buffers) {
                text.p_data = buffer.as_mut_ptr().cast();
            }
            let mut count = texts.len() as u32;
            (calls.fp().get_pipeline_executable_internal_representations_khr)(
                self.device.handle(),
                &info,
                &mut count,
                texts.as_mut_ptr(),
            )
            .result()
            .map_err(fail)?;
            let assembly = texts.iter().position(|t| text(&t.name).to_lowercase().contains("assembly"));
            let assembly = assembly.ok_or("the driver gives no assembly")?;
            let assembly = String::from_utf8_lossy(&buffers[assembly]).into_owned();
            Ok(Compiled { statistics, assembly })
        }
    }
}

impl Drop for Radv {
    fn drop(&mut self) {
        // SAFETY: nothing made from them is alive: `compile` destroys what it makes.
        unsafe {
            self.device.destroy_device(None);
            self.instance.destroy_instance(None);
        }
    }
}

/// The SPIR-V that wgpu hands to a driver for this text with its shader checks off, and the numbers of
/// the storage buffers that it binds.
fn translate(source: &str) -> Result<(Vec<u32>, Vec<u32>), String> {
    use naga::{back::spv, proc, valid};
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    let capabilities = valid::Capabilities::SUBGROUP
        | valid::Capabilities::SHADER_FLOAT16
        | valid::Capabilities::COOPERATIVE_MATRIX;
    let info = valid::Validator::new(valid::ValidationFlags::all(), capabilities)
        .validate(&module)
        .map_err(|e| e.emit_to_string(source))?;
    let unchecked = proc::BoundsCheckPolicy::Unchecked;
    let options = spv::Options {
        lang_version: (1, 4),
        bounds_check_policies: proc::BoundsCheckPolicies {
            index: unchecked,
            buffer: unchecked,
            image_load: unchecked,
            binding_array: unchecked,
        },
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        ..Default::default()
    };
    let entry = spv::PipelineOptions { entry_point: "main".into(), shader_stage: naga::ShaderStage::Compute };
    let spirv =
        spv::write_vec(&module, &info, &options, Some(&entry)).map_err(|e| format!("no SPIR-V: {e}"))?;
    let bindings =
        module.global_variables.iter().filter_map(|(_, v)| v.binding.as_ref().map(|b| b.binding)).collect();
    Ok((spirv, bindings))
}
