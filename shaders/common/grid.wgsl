// Numbering of invocations in a linear grid that may be folded onto the y axis (more than 65,535 workgroups).

fn grid_workgroup(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.y * groups.x + group.x;
}

fn grid_item(group: vec3<u32>, groups: vec3<u32>, local: u32, size: u32) -> u32 {
    return grid_workgroup(group, groups) * size + local;
}
