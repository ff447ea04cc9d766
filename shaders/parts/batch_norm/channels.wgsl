//! uses pack
//
// How workgroups share a tensor (N, CHANNELS, PLANE) channel by channel.
//
// The packs of one channel, over all images, are numbered 0 to PACKS - 1 and cut into PARTS runs
// of PART_PACKS. A workgroup takes one part of LANES_C channels that lie side by side; its lanes
// are LANES_C to a row, one channel each, and the rows take every ROWSth pack in turn.
const LANES: u32 = 64u; // tunable
const LANES_C: u32 = 1u; // tunable
const CHANNELS: u32 = 2u; // shape
const PLANE: u32 = 4u; // shape
const PACKS: u32 = 8u; // shape
const PART_PACKS: u32 = 8u; // shape
const PARTS: u32 = 1u; // shape

const ROWS: u32 = LANES / LANES_C;
const GROUPS: u32 = (CHANNELS + LANES_C - 1u) / LANES_C * PARTS;

// A lane's share: packs first, first + ROWS, ... below end.
struct Share {
    channel: u32,
    part: u32,
    first: u32,
    end: u32,
}

fn share_of(group: u32, lane: u32) -> Share {
    let channel = group / PARTS * LANES_C + lane % LANES_C;
    let part = group % PARTS;
    // Lanes past the last channel get nothing.
    let end = select(0u, min(part * PART_PACKS + PART_PACKS, PACKS), channel < CHANNELS);
    return Share(channel, part, part * PART_PACKS + lane / LANES_C, end);
}

// Where pack i of a channel lies in the tensor.
fn pack_at(channel: u32, i: u32) -> u32 {
    return (i / PLANE * CHANNELS + channel) * PLANE + i % PLANE;
}

fn part_elements(part: u32) -> f32 {
    return f32(min(PACKS - part * PART_PACKS, PART_PACKS)) * WIDTH;
}
