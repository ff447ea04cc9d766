// Draws the network's picture over the whole viewport: a triangle that covers it, and a fragment shader that reads the
// output's storage buffer where the last step left it, SIZE x SIZE rows of red, green and blue.

const SIZE = 96;

@group(0) @binding(0) var<storage, read> colors: array<f32>;

struct Corner {
    @builtin(position) position: vec4f,
    @location(0) at: vec2f,
}

@vertex
fn corner(@builtin(vertex_index) index: u32) -> Corner {
    let at = vec2f(f32((index << 1) & 2), f32(index & 2));
    return Corner(vec4f(2 * at.x - 1, 1 - 2 * at.y, 0, 1), at);
}

fn color(x: i32, y: i32) -> vec3f {
    let pixel = clamp(y, 0, SIZE - 1) * SIZE + clamp(x, 0, SIZE - 1);
    return vec3f(colors[3 * pixel], colors[3 * pixel + 1], colors[3 * pixel + 2]);
}

@fragment
fn pixel(corner: Corner) -> @location(0) vec4f {
    let place = corner.at * SIZE - 0.5;
    let first = floor(place);
    let part = place - first;
    let x = i32(first.x);
    let y = i32(first.y);
    let above = mix(color(x, y), color(x + 1, y), part.x);
    let below = mix(color(x, y + 1), color(x + 1, y + 1), part.x);
    return vec4f(mix(above, below, part.y), 1);
}
