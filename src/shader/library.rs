//! The crate's WGSL files by name, taken in when the crate is built.
//!
//! Each folder of a family below `shaders/kernels/` and `shaders/parts/` stands here with the files in it, so that a
//! misspelt name does not compile, and neither does one without a file. A file that is not listed fails a test.
//! The parts that a file uses are found while the crate is built, so that a program holds only the files that it reaches:
//! a page downloads them.

use super::ShaderFile;
use super::head::Used;

/// The text of a file. A page downloads it, so in a browser's program comments and indentation are left out.
#[cfg(not(target_arch = "wasm32"))]
macro_rules! text {
    ($($path:tt)*) => {
        include_str!($($path)*)
    };
}
#[cfg(target_arch = "wasm32")]
macro_rules! text {
    ($($path:tt)*) => {{
        const BYTES: [u8; super::shorten(include_str!($($path)*), &mut [])] = {
            let mut bytes = [0; super::shorten(include_str!($($path)*), &mut [])];
            super::shorten(include_str!($($path)*), &mut bytes);
            bytes
        };
        match str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => panic!("lines are cut at their ends"),
        }
    }};
}

/// Copies lines without indentation, but for comments that are not a file's head, and returns their length.
#[cfg(any(test, target_arch = "wasm32"))]
pub(super) const fn shorten(text: &str, into: &mut [u8]) -> usize {
    let text = text.as_bytes();
    let (mut at, mut length) = (0, 0);
    while at < text.len() {
        while at < text.len() && text[at] == b' ' {
            at += 1;
        }
        let comment = at + 2 < text.len() && text[at] == b'/' && text[at + 1] == b'/' && text[at + 2] != b'!';
        let mut ended = false;
        while at < text.len() && !ended {
            ended = text[at] == b'\n';
            if !comment {
                if length < into.len() {
                    into[length] = text[at];
                }
                length += 1;
            }
            at += 1;
        }
    }
    length
}

/// How many parts a file uses.
const fn count(text: &str) -> usize {
    let (mut used, mut count) = (Used::of(text), 0);
    while used.next().is_some() {
        count += 1;
    }
    count
}

/// The parts that a file uses.
const fn parts_of<const COUNT: usize>(text: &str) -> [&'static ShaderFile; COUNT] {
    let mut used = Used::of(text);
    let mut found = [parts::ALL[0]; COUNT];
    let mut i = 0;
    while let Some(name) = used.next() {
        let mut k = 0;
        while !same(name, parts::NAMES[k].as_bytes()) {
            k += 1;
            assert!(k < parts::NAMES.len(), "the file uses a part that there is not");
        }
        found[i] = parts::ALL[k];
        i += 1;
    }
    found
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

/// A module with a static for each file, and all of them in a list.
macro_rules! files {
    ($(#[$about:meta])* $tree:ident: $($family:ident { $($name:ident)* })*) => {
        $(#[$about])*
        #[allow(non_upper_case_globals, reason = "a file's name is written as the file's")]
        pub(crate) mod $tree {
            use super::ShaderFile;

            $($(
                pub(crate) static $name: ShaderFile = {
                    const TEXT: &str = text!(concat!(
                        env!("CARGO_MANIFEST_DIR"), "/shaders/",
                        stringify!($tree), "/", stringify!($family), "/", stringify!($name), ".wgsl"
                    ));
                    static USES: [&ShaderFile; super::count(TEXT)] = super::parts_of(TEXT);
                    ShaderFile::own(
                        stringify!($name),
                        concat!(stringify!($tree), "/", stringify!($family), "/", stringify!($name)),
                        TEXT,
                        &USES,
                    )
                };
            )*)*

            pub(crate) static ALL: &[&ShaderFile] = &[$($(&$name),*),*];
            #[allow(dead_code, reason = "only parts are found by name")]
            pub(super) const NAMES: &[&str] = &[$($(stringify!($name)),*),*];
        }
    };
}

files! {
    /// Files with the entry point `main`.
    kernels:
    argmax {
        argmax argmax_merge classes_before correct correct_parts correct_sum
    }
    batch_norm {
        batch_norm_count batch_norm_eval_grad batch_norm_eval_grad_parameters batch_norm_grad_merge
        batch_norm_grad_sums batch_norm_max_pool2d batch_norm_merge batch_norm_moments
    }
    conv2d {
        conv2d_depthwise conv2d_depthwise_grad_weight conv2d_direct conv2d_direct_row conv2d_direct_subgroup
        conv2d_grad_weight_direct conv2d_grad_weight_row conv2d_grad_weight_subgroup winograd_grad_weight
        winograd_gradient winograd_input winograd_output winograd_weight
    }
    cross_entropy {
        cross_entropy cross_entropy_finalize cross_entropy_grad cross_entropy_mean
        cross_entropy_parts cross_entropy_rows cross_entropy_with_grad
    }
    elementwise {
        map
    }
    embedding {
        embedding_links embedding_merge embedding_sort
    }
    gemm {
        gemm_cooperative gemm_pipelined gemm_register gemm_small gemm_subgroup gemm_tiled gemm_vector sum_splits
    }
    loss {
        sum_epilogue
    }
    movement {
        concatenate fill permute_tiled
    }
    optimizer {
        gradient_squares loss_scale nadam_momenta update
    }
    parallel {
        add_micro_batches count_from_float count_to_float mean_of_micro_batches
    }
    peaks {
        peak_copy peak_fma
    }
    pool2d {
        avg_pool2d_global avg_pool2d_grad_2x2 max_pool2d max_pool2d_2x2 max_pool2d_2x2_rows
        max_pool2d_global max_pool2d_grad_2x2 max_pool2d_merge max_pool2d_parts max_unpool2d_last
    }
    reduce {
        reduce reduce_channels reduce_rows
    }
    row_norm {
        row_norm row_norm_grad
    }
    sample_moments {
        running_sum sample_moments
    }
    softmax {
        softmax softmax_grad
    }
    tune {
        poison
    }
    watch {
        watch_close watch_gather watch_scan
    }
}

files! {
    /// Files without an entry point, which kernels use or are filled with.
    parts:
    augment {
        augment_bytes augment_contrast augment_draws augment_flip augment_flip_alternating augment_floats
        augment_parameters augment_sample mix
    }
    batch_norm {
        batch_norm_apply batch_norm_bias batch_norm_finalize batch_norm_grad_apply
        batch_norm_grad_finalize batch_norm_grad_parts batch_norm_grad_pooled_terms
        batch_norm_grad_source_bias batch_norm_grad_terms batch_norm_parts batch_norm_track
        batch_norm_track_average batch_norm_weight channel_line channel_sums channels gradient_plain
        gradient_pooled max_pool2d_taps moments
    }
    common {
        axis_rows beyond count_sum element element_1 element_4 element_bits group is_nan log1p log_of
        normal_or_zero one_less_exp pack pack_1 pack_4 philox power_of stretch team team_best
        team_combine team_pairs units
    }
    conv2d {
        conv2d_correlation conv2d_gather conv2d_gradient_columns conv2d_gradient_rows
        conv2d_gradient_rows_vec4 conv2d_gradient_tile conv2d_gradient_tile_vec4 conv2d_im2col
        conv2d_input_columns conv2d_input_rows conv2d_phase conv2d_phase_columns conv2d_phase_store
        conv2d_phase_weight conv2d_pixel_columns conv2d_pixels conv2d_row conv2d_row_taps conv2d_row_vec4
        conv2d_row_window conv2d_shape conv2d_sliding conv2d_store conv2d_store_vec4 conv2d_weight_by_input
        conv2d_winograd winograd_bias
    }
    cross_entropy {
        all_weights class_gradient class_weight cross_entropy_grad_apply cross_entropy_lines label
        label_rows mean_loss row_loss score_line
    }
    elementwise {
        activation_elu activation_gelu activation_hard activation_relu activation_sigmoid
        activation_tanh affine arithmetic batch_norm_eval comparison dropout element_loss extremum_share maths
        power repeated rounding with_numbers
    }
    embedding {
        byte_lookup_1 byte_lookup_4 embedding embedding_grad embedding_grad_sorted in_top_k one_hot
    }
    gemm {
        gemm_bias_columns gemm_bias_rows gemm_halves gemm_lhs_elements gemm_lhs_rows gemm_outer gemm_product gemm_rhs_rows
        gemm_shape gemm_spread_columns gemm_spread_rows gemm_store gemm_store_elements matrices_16 matrices_8 split_store
    }
    linear {
        linear_grad_rhs linear_grad_rhs_any linear_grad_store linear_grad_store_vec4
    }
    local_response_norm {
        channel_window local_response_norm local_response_norm_grad local_response_norm_terms
        window_blocks window_loop
    }
    matmul {
        matmul_lhs_any matmul_lhs_columns matmul_lhs_rows matmul_rhs_any matmul_rhs_columns
        matmul_rhs_rows matmul_store matmul_store_vec4
    }
    movement {
        border_circular border_fill border_reflect border_replicate copy pad_grad strided_copy
    }
    optimizer {
        accumulate_update adadelta_update adagrad_update adam_means adam_update clip_norm clip_value
        loss_scale_of_squares loss_scale_of_update
        ema_update lerp_update lion_update nadam_update rmsprop_update sgd_update update_by_rate
        update_rate update_run_a update_run_b update_run_c
    }
    pool2d {
        avg_pool2d_2x2 avg_pool2d_grad_global corners corners_from_fours corners_from_pairs
        corners_in_fours corners_to_fours corners_to_pairs max_pool2d_goes_before max_pool2d_keep
        max_unpool2d max_unpool2d_grad pool2d_adaptive pool2d_average pool2d_candidates
        pool2d_candidates_adaptive pool2d_finalize pool2d_gather pool2d_gather_parts
        pool2d_last_kept pool2d_last_winner pool2d_lp pool2d_lp_share pool2d_shape pool2d_share
        pool2d_sliding pool2d_sum pool2d_sum_parts pool2d_weight pool2d_weight_kept
        pool2d_weight_parts pool2d_weight_sum pool2d_weighted pool2d_winner pool2d_winner_share
    }
    reduce {
        block_sums combine_max combine_min combine_sum line line_plain line_sorted line_squares
        lines range_sum reduction sum_parts term_below term_deviation term_equal term_exponential
        term_gap term_product term_square_deviation term_weighted_gap
    }
    row_norm {
        row_norm_grad_finalize row_norm_grad_terms row_norm_gradient row_norm_parameter_finalize
        row_norm_parameter_terms
    }
    softmax {
        softmax_apply softmax_element softmax_grad_apply
    }
    upsample2d {
        upsample2d_at_bilinear upsample2d_at_nearest upsample2d_bilinear upsample2d_first
        upsample2d_grad upsample2d_grad_axis upsample2d_nearest upsample2d_shape
    }
    watch {
        watch
    }
}
