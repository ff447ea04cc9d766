//! uses team, reduction
//
// A team's values reduced to one, in the order of `team_sum`.
fn team_combine(own: f32, lane: u32) -> f32 {
    if (TEAM == 1u) {
        return own;
    }
    workgroupBarrier();
    team_values[lane] = own;
    for (var width = TEAM / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lane % TEAM < width) {
            team_values[lane] = combine_two(team_values[lane], team_values[lane + width]);
        }
    }
    workgroupBarrier();
    return team_values[lane - lane % TEAM];
}
