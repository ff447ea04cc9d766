//! The app's own part: its device, the canvas that it renders to, and the picture that it saves.

use crate::program::Outcome;
use wgrad::{Device, wgpu};

const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

/// A device that the app has opened for itself.
pub(crate) struct Gpu {
    pub(crate) adapter: wgpu::Adapter,
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
}

impl Gpu {
    pub(crate) fn open() -> Outcome<Gpu> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = pollster::block_on(instance.request_adapter(&options))?;
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            required_features: Device::useful_features(&adapter),
            required_limits: Device::required_limits(),
            ..Default::default()
        }))?;
        Ok(Gpu { adapter, device, queue })
    }
}

/// A row of square views in one texture. Each shows the network's picture.
pub(crate) struct Canvas {
    texture: wgpu::Texture,
    pipeline: wgpu::RenderPipeline,
    colors: wgpu::BindGroup,
    side: u32,
}

impl Canvas {
    /// `colors` is where the network's output lies.
    pub(crate) fn new(gpu: &Gpu, side: u32, views: u32, colors: wgpu::BufferBinding<'_>) -> Canvas {
        let device = &gpu.device;
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("canvas"),
            size: wgpu::Extent3d { width: side * views, height: side, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: FORMAT,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let shader = device.create_shader_module(wgpu::include_wgsl!("frame.wgsl"));
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("frame"),
            layout: None,
            vertex: wgpu::VertexState {
                module: &shader,
                entry_point: Some("corner"),
                compilation_options: Default::default(),
                buffers: &[],
            },
            primitive: Default::default(),
            depth_stencil: None,
            multisample: Default::default(),
            fragment: Some(wgpu::FragmentState {
                module: &shader,
                entry_point: Some("pixel"),
                compilation_options: Default::default(),
                targets: &[Some(FORMAT.into())],
            }),
            multiview_mask: None,
            cache: None,
        });
        let colors = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("the network's output"),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(colors) }],
        });
        Canvas { texture, pipeline, colors, side }
    }

    /// Encodes a render pass that draws one of the views.
    pub(crate) fn draw(&self, encoder: &mut wgpu::CommandEncoder, view: u32) {
        let target = self.texture.create_view(&Default::default());
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("frame"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &target,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations { load: wgpu::LoadOp::Load, store: wgpu::StoreOp::Store },
            })],
            ..Default::default()
        });
        let side = self.side as f32;
        pass.set_viewport(view as f32 * side, 0.0, side, side, 0.0, 1.0);
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.colors, &[]);
        pass.draw(0..3, 0..1);
    }

    /// Reads the canvas back, as a PNG.
    pub(crate) fn png(&self, gpu: &Gpu) -> Outcome<Vec<u8>> {
        let size = self.texture.size();
        let row = (4 * size.width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("canvas, read back"),
            size: u64::from(row * size.height),
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let layout =
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
        let target = wgpu::TexelCopyBufferInfo { buffer: &buffer, layout };
        encoder.copy_texture_to_buffer(self.texture.as_image_copy(), target, size);
        gpu.queue.submit([encoder.finish()]);
        buffer.map_async(wgpu::MapMode::Read, .., |_| {});
        gpu.device.poll(wgpu::PollType::wait_indefinitely())?;
        let mapped = buffer.get_mapped_range(..)?;
        let rows = mapped.chunks(row as usize).flat_map(|row| &row[..4 * size.width as usize]);
        let pixels: Vec<u8> = rows.copied().collect();
        let picture =
            image::RgbaImage::from_raw(size.width, size.height, pixels).ok_or("pixels are missing")?;
        let mut png = std::io::Cursor::new(Vec::new());
        image::DynamicImage::from(picture).to_rgb8().write_to(&mut png, image::ImageFormat::Png)?;
        Ok(png.into_inner())
    }
}
