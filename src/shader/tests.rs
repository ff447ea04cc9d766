//! Kernels that can't be joined are errors that say why.

use super::library::shorten;
use super::{Kernel, ShaderFile, kernels, parts};

/// What joining says is wrong.
fn problem(kernel: &Kernel) -> String {
    kernel.source().expect_err("the kernel can't be joined").to_string()
}

#[test]
fn a_browsers_text_lacks_comments_and_indentation_alone() {
    for file in kernels::ALL.iter().chain(parts::ALL) {
        let kept = |line: &&str| !line.trim_start().starts_with("//") || line.starts_with("//!");
        let expected: String =
            file.text().lines().filter(kept).map(|line| format!("{}\n", line.trim_start())).collect();
        let mut found = vec![0; shorten(file.text(), &mut [])];
        shorten(file.text(), &mut found);
        assert_eq!(String::from_utf8(found).expect("it is text"), expected, "{}", file.path());
    }
}

#[test]
fn parts_that_were_found_are_those_that_heads_name() {
    for file in kernels::ALL.iter().chain(parts::ALL) {
        let found: Vec<&str> = file.known().iter().map(|part| part.name()).collect();
        assert_eq!(found, file.uses(), "{}", file.path());
    }
}

#[test]
fn an_open_hole_is_named() {
    let kernel =
        Kernel::new(&kernels::gemm_tiled).fill(&parts::matmul_lhs_rows).fill(&parts::matmul_rhs_rows);
    let message = problem(&kernel);
    assert!(message.contains("hole store of parts/gemm/gemm_store is filled 0 times"), "{message}");
    assert!(message.contains("split_store"), "it says by what it could be filled: {message}");
    kernel.fill(&parts::split_store).source().expect("a bias is there by default");
}

#[test]
fn a_hole_is_filled_once() {
    let border = [&parts::border_fill, &parts::border_reflect];
    let kernel = Kernel::new(&kernels::map).fill_all([&parts::element_1, &parts::strided_copy]);
    let message = problem(&kernel.fill_all(border));
    assert!(message.contains("hole border of parts/movement/strided_copy is filled 2 times"), "{message}");
}

#[test]
fn what_fills_no_hole_is_named() {
    let message = problem(&Kernel::new(&kernels::softmax).fill(&parts::pack_1));
    assert!(message.contains("parts/common/pack_1 fills no hole"), "{message}");
    let message = problem(&Kernel::new(&kernels::softmax).fill_text(&["epilogue"], String::new()));
    assert!(message.contains("no file leaves a hole epilogue open"), "{message}");
}

#[test]
fn a_name_that_is_no_parts_is_named() {
    static FILE: ShaderFile = ShaderFile::new("mine", "//! uses group, grup\n");
    let message = problem(&Kernel::new(&FILE));
    assert!(message.contains("it uses grup, and there is no part of that name"), "{message}");
    static UNREADABLE: ShaderFile = ShaderFile::new("mine", "//! using group\n");
    let message = problem(&Kernel::new(&UNREADABLE));
    assert!(message.contains("\"using group\""), "{message}");
}

#[test]
fn parts_are_joined_once_and_before_their_users() {
    let names: Vec<&str> = Kernel::new(&kernels::argmax).files().iter().map(|file| file.name()).collect();
    assert_eq!(names, ["group", "is_nan", "beyond", "team", "team_best", "axis_rows", "argmax"]);
    let kernel =
        Kernel::new(&kernels::batch_norm_moments).fill(&parts::pack_4).fill(&parts::batch_norm_parts);
    let names: Vec<&str> = kernel.files().iter().map(|file| file.name()).collect();
    let expected =
        ["group", "pack", "channels", "moments", "pack_4", "batch_norm_parts", "batch_norm_moments"];
    assert_eq!(names, expected);
}

#[test]
fn a_part_of_a_dispatch_begins_with_another_workgroup() {
    let source = |first| Kernel::new(&kernels::argmax).starting_at(first).source().expect("it joins");
    let number = "group.x + groups.x * (group.y + groups.y * group.z);";
    assert_eq!(source(0).matches(&format!("return {number}")).count(), 1);
    assert_eq!(source(7).matches(&format!("return 7u + {number}")).count(), 1);
    assert_eq!(source(7).replace("7u + group.x", "group.x"), source(0));
}

#[test]
fn only_what_is_the_crates_alone_runs_without_checks() {
    static MINE: ShaderFile = ShaderFile::new("mine", "//! uses group\n");
    assert!(Kernel::new(&kernels::softmax).is_own());
    assert!(!Kernel::new(&MINE).is_own());
    assert!(!Kernel::new(&kernels::map).fill_text(&["epilogue"], String::new()).is_own());
}
