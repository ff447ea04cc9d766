// Reductions among TEAM neighbouring invocations (a power of two) of a workgroup of 64. Every
// invocation of the workgroup calls them together, and each gets its team's result.
//
// Order: a fixed tree, first with the neighbour half a team away. A team of one needs no barrier.
const TEAM: u32 = 64u; // tunable

var<workgroup> team_values: array<f32, 64>;

fn team_sum(own: f32, lane: u32) -> f32 {
    if (TEAM == 1u) {
        return own;
    }
    // Results of an earlier call may still be being read.
    workgroupBarrier();
    team_values[lane] = own;
    for (var width = TEAM / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lane % TEAM < width) {
            team_values[lane] += team_values[lane + width];
        }
    }
    workgroupBarrier();
    return team_values[lane - lane % TEAM];
}

fn team_max(own: f32, lane: u32) -> f32 {
    if (TEAM == 1u) {
        return own;
    }
    workgroupBarrier();
    team_values[lane] = own;
    for (var width = TEAM / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lane % TEAM < width) {
            team_values[lane] = max(team_values[lane], team_values[lane + width]);
        }
    }
    workgroupBarrier();
    return team_values[lane - lane % TEAM];
}
