//! uses team
//
// The sums of a team's pairs (team), for each of its invocations, by the same tree.
var<workgroup> team_pairs: array<vec2<f32>, 64>;

fn team_sums(own: vec2<f32>, lane: u32) -> vec2<f32> {
    if (TEAM == 1u) {
        return own;
    }
    // Results of an earlier call may still be being read.
    workgroupBarrier();
    team_pairs[lane] = own;
    for (var width = TEAM / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lane % TEAM < width) {
            team_pairs[lane] += team_pairs[lane + width];
        }
    }
    workgroupBarrier();
    return team_pairs[lane - lane % TEAM];
}
