// packed[image][pixel][group][block of 4 channels] from an (image, channel, pixel) tensor, so that
// one load gives four channels of a pixel. Channels past a group's last are zero.
//
// One invocation makes one vec4; neighbours take neighbouring pixels.
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> packed: array<vec4<f32>>;

const IMAGES: u32 = 1u; // shape
const GROUPS: u32 = 1u; // shape
const CHANNELS: u32 = 4u; // shape
const BLOCKS: u32 = 1u; // shape
const PIXELS: u32 = 64u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= IMAGES * GROUPS * BLOCKS * PIXELS) {
        return;
    }
    let pixel = i % PIXELS;
    let block = i / PIXELS % BLOCKS;
    let z = i / (PIXELS * BLOCKS) % GROUPS;
    let image = i / (PIXELS * BLOCKS * GROUPS);
    let first = ((image * GROUPS + z) * CHANNELS + block * 4u) * PIXELS + pixel;
    var values = vec4<f32>();
    if (block * 4u < CHANNELS) {
        values.x = source[first];
    }
    if (block * 4u + 1u < CHANNELS) {
        values.y = source[first + PIXELS];
    }
    if (block * 4u + 2u < CHANNELS) {
        values.z = source[first + 2u * PIXELS];
    }
    if (block * 4u + 3u < CHANNELS) {
        values.w = source[first + 3u * PIXELS];
    }
    packed[((image * PIXELS + pixel) * GROUPS + z) * BLOCKS + block] = values;
}
