// Functions of one reduction, contraction, window or indexed op each whose gradients are checked.

import Testing

@testable import CheckpointCompiler

extension GradientTests {
  static let structuredOps: [(op: Opcode, cases: [GradientCase])] = [
    (
      .reduce,
      [
        GradientCase(
          arguments: "param %x: f32[2,3,4]", body: "%y = reduce %x {kind = add, dims = [1]}",
          shape: [2, 4]),
        GradientCase(
          arguments: "param %x: f32[2,3,4]", body: "%y = reduce %x {kind = add, dims = [0, 1, 2]}",
          shape: []),
        GradientCase(
          arguments: "param %x: f32[2,3,4]", body: "%y = reduce %x {kind = max, dims = [0, 2]}",
          shape: [3]),
        GradientCase(
          arguments: "param %x: f32[2,3,4]", body: "%y = reduce %x {kind = min, dims = [1]}",
          shape: [2, 4]),
        GradientCase(
          arguments: "param %x: f32[2,3]", body: "%y = reduce %x {kind = mul, dims = [1]}",
          shape: [2]),
        GradientCase(
          arguments: "param %x: f32[4,3]",
          body: """
            %m = constant [[1.0, 1.0, 1.0], [0.0, 1.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]] : f32[4,3]
            %z = multiply %x, %m
            %y = reduce %z {kind = mul, dims = [1]}
            """, shape: [4]),
      ]
    ),
    (
      .dotGeneral,
      [
        GradientCase(
          arguments: "param %x: bf16[2,3], param %z: f32[3,4]",
          body: "%y = dot_general %x, %z {lhs_contract = [1], rhs_contract = [0]} : f32[2,4]",
          shape: [2, 4]),
        GradientCase(
          arguments: "param %a: f32[2,3], param %b: f32[3,4]",
          body: "%y = dot_general %a, %b {lhs_contract = [1], rhs_contract = [0]}", shape: [2, 4]),
        GradientCase(
          arguments: "param %a: f32[3,2], param %b: f32[4,3]",
          body: "%y = dot_general %a, %b {lhs_contract = [0], rhs_contract = [1]}", shape: [2, 4]),
        GradientCase(
          arguments: "param %a: f32[3], param %b: f32[3]",
          body: "%y = dot_general %a, %b {lhs_contract = [0], rhs_contract = [0]}", shape: []),
        GradientCase(
          arguments: "param %a: f32[2], param %b: f32[3]", body: "%y = dot_general %a, %b",
          shape: [2, 3]),
        GradientCase(
          arguments: "param %a: f32[2,3,4], param %b: f32[4,5,3]",
          body: "%y = dot_general %a, %b {lhs_contract = [2, 1], rhs_contract = [0, 2]}",
          shape: [2, 5]),
        GradientCase(
          arguments: "param %a: f32[2,3,4], param %b: f32[4,5,2]",
          body:
            "%y = dot_general %a, %b {lhs_batch = [0], rhs_batch = [2], lhs_contract = [2], rhs_contract = [0]}",
          shape: [2, 3, 5]),
        GradientCase(
          arguments: "param %a: f32[3,2,4,2], param %b: f32[2,3,4,3]",
          body:
            "%y = dot_general %a, %b {lhs_batch = [0, 1], rhs_batch = [1, 0], lhs_contract = [2], rhs_contract = [2]}",
          shape: [3, 2, 2, 3]),
        GradientCase(
          arguments: "param %a: f32[2,3]",
          body: "%y = dot_general %a, %a {lhs_contract = [1], rhs_contract = [1]}", shape: [2, 2]),
      ]
    ),
    (
      .convolution,
      [
        GradientCase(
          arguments: "param %x: f16[2,5,2], param %w: bf16[3,1,4]",
          body: """
            %y = convolution %x, %w {dim_numbers = "b0f_0io->b0f", low = [1], feature_groups = 2} : f32[2,4,4]
            """, shape: [2, 4, 4]),
        GradientCase(
          arguments: "param %x: f32[2,5,3], param %w: f32[3,3,2]",
          body: "%y = convolution %x, %w {dim_numbers = \"b0f_0io->b0f\"}", shape: [2, 3, 2]),
        GradientCase(
          arguments: "param %x: f32[2,6,5,2], param %w: f32[3,2,2,3]",
          body:
            "%y = convolution %x, %w {dim_numbers = \"b01f_01io->b01f\", strides = [2, 1], low = [1, 0], high = [2, 1]}",
          shape: [2, 4, 5, 3]),
        GradientCase(
          arguments: "param %x: f32[2,5,5,3], param %w: f32[1,1,3,2]",
          body: "%y = convolution %x, %w {dim_numbers = \"b01f_01io->b01f\", strides = [2, 2]}",
          shape: [2, 3, 3, 2]),
        GradientCase(
          arguments: "param %x: f32[1,6,6,1], param %w: f32[2,2,1,2]",
          body:
            "%y = convolution %x, %w {dim_numbers = \"b01f_01io->b01f\", low = [-1, 2], high = [0, -2], strides = [3, 2]}",
          shape: [1, 2, 3, 2]),
        GradientCase(
          arguments: "param %x: f32[1,3,4,2], param %w: f32[2,2,2,1]",
          body:
            "%y = convolution %x, %w {dim_numbers = \"b01f_01io->b01f\", lhs_dilation = [2, 3], rhs_dilation = [1, 2]}",
          shape: [1, 4, 8, 1]),
        GradientCase(
          arguments: "param %x: f32[1,4,4,2], param %w: f32[3,2,2,2]",
          body:
            "%y = convolution %x, %w {dim_numbers = \"b01f_01io->b01f\", window_reversal = [1, 0], rhs_dilation = [1, 2], low = [1, 1], high = [1, 0]}",
          shape: [1, 4, 3, 2]),
        GradientCase(
          arguments: "param %x: f32[1,4,4,4], param %w: f32[2,2,2,6]",
          body:
            "%y = convolution %x, %w {dim_numbers = \"b01f_01io->b01f\", feature_groups = 2, strides = [2, 1]}",
          shape: [1, 2, 3, 6]),
        GradientCase(
          arguments: "param %x: f32[1,4,4,3], param %w: f32[3,3,1,3]",
          body:
            "%y = convolution %x, %w {dim_numbers = \"b01f_01io->b01f\", feature_groups = 3, low = [1, 1], high = [1, 1]}",
          shape: [1, 4, 4, 3]),
        GradientCase(
          arguments: "param %x: f32[4,3,3,2], param %w: f32[2,2,2,4]",
          body: "%y = convolution %x, %w {dim_numbers = \"b01f_01io->b01f\", batch_groups = 2}",
          shape: [2, 2, 2, 4]),
        GradientCase(
          arguments: "param %x: f32[3,2,4,5], param %w: f32[2,2,3,3]",
          body:
            "%y = convolution %x, %w {dim_numbers = \"bf01_oi10->10fb\", low = [0, 1], high = [1, 0], lhs_dilation = [1, 2]}",
          shape: [8, 3, 2, 3]),
        GradientCase(
          arguments: "param %x: f32[1,3,3,2,1], param %w: f32[2,2,2,1,2]",
          body: "%y = convolution %x, %w {dim_numbers = \"b012f_012io->b012f\"}",
          shape: [1, 2, 2, 1, 2]),
      ]
    ),
    (
      .reduceWindow,
      [
        GradientCase(
          arguments: "param %x: f32[5,6]",
          body:
            "%y = reduce_window %x {kind = max, window = [2, 2], low = [0, -1], base_dilation = [2, 1], window_dilation = [1, 2]}",
          shape: [8, 3]),
        GradientCase(
          arguments: "param %x: f32[4,3]",
          body: "%y = reduce_window %x {kind = add, window = [4, 1], low = [3, 0]}",
          shape: [4, 3]),
        GradientCase(
          arguments: "param %x: f32[4,6]",
          body: "%y = reduce_window %x {kind = add, window = [2, 3], strides = [2, 3]}",
          shape: [2, 2]),
        GradientCase(
          arguments: "param %x: f32[5,5]",
          body:
            "%y = reduce_window %x {kind = add, window = [3, 2], strides = [2, 1], low = [1, 0], high = [1, 1]}",
          shape: [3, 5]),
        GradientCase(
          arguments: "param %x: f32[4,4]",
          body:
            "%y = reduce_window %x {kind = add, window = [2, 2], base_dilation = [2, 1], window_dilation = [1, 2], low = [0, 2]}",
          shape: [6, 4]),
        GradientCase(
          arguments: "param %x: f32[5,6]",
          body:
            "%y = reduce_window %x {kind = max, window = [3, 2], strides = [2, 2], low = [1, 0], high = [1, 0]}",
          shape: [3, 3]),
        GradientCase(
          arguments: "param %x: f32[6,5]",
          body: "%y = reduce_window %x {kind = min, window = [2, 3], strides = [1, 2]}",
          shape: [5, 2]),
        GradientCase(
          arguments: "param %x: f32[6,2]",
          body: "%y = reduce_window %x {kind = mul, window = [6, 1], low = [5, 0]}",
          shape: [6, 2]),
        GradientCase(
          arguments: "param %w: f32[5]",
          body: """
            %c = constant [1.0, 0.0, -2.0, 0.0, 3.0] : f32[5]
            %x = multiply %w, %c
            %y = reduce_window %x {kind = mul, window = [5], high = [4]}
            """, shape: [5]),
      ]
    ),
    (
      .gather,
      [
        GradientCase(
          arguments: "param %x: f32[4,3]",
          body: """
            %i = constant [2, 0, 2, 9, -1] : i32[5]
            %y = gather %x, %i {offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1, slice_sizes = [1, 3]}
            """, shape: [5, 3]),
        GradientCase(
          arguments: "param %x: f32[4,5]",
          body: """
            %i = constant [[0, 1], [3, 3], [1, 9]] : i64[3,2]
            %y = gather %x, %i {offset_dims = [0, 2], start_index_map = [0, 1], index_vector_dim = 1, slice_sizes = [2, 2]}
            """, shape: [2, 3, 2]),
        GradientCase(
          arguments: "param %x: f32[4,5,2]",
          body: """
            %i = constant [[4, 1], [1, 3]] : i32[2,2]
            %y = gather %x, %i {offset_dims = [0], collapsed_slice_dims = [0, 1], start_index_map = [1, 0], slice_sizes = [1, 1, 2]}
            """, shape: [2, 2]),
        GradientCase(
          arguments: "param %x: f32[3,2,4]",
          body: """
            %i = constant [[[1, 3, 9], [0, 0, 2]]] : ui8[1,2,3]
            %b = broadcast_in_dim %i {dims = [0, 1, 2]} : ui8[3,2,3]
            %y = gather %x, %b {collapsed_slice_dims = [2], start_index_map = [2], index_vector_dim = 3, slice_sizes = [1, 1, 1], operand_batch_dims = [0, 1], indices_batch_dims = [0, 1]}
            """, shape: [3, 2, 3]),
      ]
    ),
    (
      .sort,
      [
        GradientCase(
          arguments: "param %x: f32[3,4,2], param %z: f32[3,4,2]",
          body: """
            %s, %t = sort %x, %z {comparator = @first_less, dim = 1}
            %y = multiply %s, %t
            """, shape: [3, 4, 2],
          functions: """
            func @first_less(%a: f32, %b: f32, %c: f32, %d: f32) -> i1 {
              %p = compare %a, %b {direction = lt}
              return %p
            }
            """)
      ]
    ),
    (
      .dynamicSlice,
      [
        GradientCase(
          arguments: "param %x: f32[4,5]",
          body: """
            %i = constant 1 : i32
            %j = constant 9 : i32
            %y = dynamic_slice %x, %i, %j {slice_sizes = [2, 3]}
            """, shape: [2, 3])
      ]
    ),
    (
      .dynamicUpdateSlice,
      [
        GradientCase(
          arguments: "param %x: f32[4,5], param %u: f32[2,3]",
          body: """
            %i = constant -1 : i32
            %j = constant 1 : i32
            %y = dynamic_update_slice %x, %u, %i, %j
            """, shape: [4, 5])
      ]
    ),
    (
      .scatter,
      [
        GradientCase(
          arguments: "param %x: f32[2,4], param %u: f32[3,2,2]",
          body: """
            %i = constant [[0, 1], [3, 2], [0, 0]] : i64[3,2]
            %y = scatter %x, %i, %u {kind = add, update_window_dims = [2], scatter_dims = [1], index_vector_dim = 2, operand_batch_dims = [0], indices_batch_dims = [1]}
            """, shape: [2, 4]),
        GradientCase(
          arguments: "param %x: f32[2,4], param %u: f32[3,2,2]",
          body: """
            %i = constant [[0, 1], [3, 2], [0, 0]] : i64[3,2]
            %y = scatter %x, %i, %u {kind = set, update_window_dims = [2], scatter_dims = [1], index_vector_dim = 2, operand_batch_dims = [0], indices_batch_dims = [1]}
            """, shape: [2, 4]),
        GradientCase(
          arguments: "param %x: f32[4,3], param %u: f32[5,3]",
          body: """
            %i = constant [2, 0, 2, 9, -1] : i32[5]
            %y = scatter %x, %i, %u {kind = add, update_window_dims = [1], inserted_window_dims = [0], scatter_dims = [0], index_vector_dim = 1}
            """, shape: [4, 3]),
        GradientCase(
          arguments: "param %x: f32[4,3], param %u: f32[5,3]",
          body: """
            %i = constant [2, 0, 2, 9, -1] : i32[5]
            %y = scatter %x, %i, %u {kind = set, update_window_dims = [1], inserted_window_dims = [0], scatter_dims = [0], index_vector_dim = 1}
            """, shape: [4, 3]),
        GradientCase(
          arguments: "param %x: f32[4,5], param %u: f32[2,3,2]",
          body: """
            %i = constant [[0, 1], [2, 2], [3, 3]] : i64[3,2]
            %y = scatter %x, %i, %u {kind = add, update_window_dims = [0, 2], scatter_dims = [0, 1], index_vector_dim = 1}
            """, shape: [4, 5]),
        GradientCase(
          arguments: "%x: f32[4,5], param %u: f32[2,3,2]",
          body: """
            %i = constant [[0, 1], [2, 2], [3, 3]] : i64[3,2]
            %y = scatter %x, %i, %u {kind = set, update_window_dims = [0, 2], scatter_dims = [0, 1], index_vector_dim = 1}
            """, shape: [4, 5]),
        GradientCase(
          arguments: "param %x: f32[4,3], param %u: f32[5,3]",
          body: """
            %i = constant [2, 0, 2, 9, -1] : i32[5]
            %y = scatter %x, %i, %u {kind = max, update_window_dims = [1], inserted_window_dims = [0], scatter_dims = [0], index_vector_dim = 1}
            """, shape: [4, 3]),
        GradientCase(
          arguments: "param %x: f32[4,3], %u: f32[5,3]",
          body: """
            %i = constant [2, 0, 2, 9, -1] : i32[5]
            %y = scatter %x, %i, %u {kind = mul, update_window_dims = [1], inserted_window_dims = [0], scatter_dims = [0], index_vector_dim = 1}
            """, shape: [4, 3]),
        GradientCase(
          arguments: "param %x: f32[4,3], param %u: f32[1,3]",
          body: """
            %i = constant [2] : i32[1]
            %y = scatter %x, %i, %u {kind = mul, update_window_dims = [1], inserted_window_dims = [0], scatter_dims = [0], index_vector_dim = 1}
            """, shape: [4, 3]),
        GradientCase(
          arguments: "param %x: f32[2,4], param %u: f32[3,2,2]",
          body: """
            %i = constant [[0, 1], [3, 2], [0, 0]] : i64[3,2]
            %y = scatter %x, %i, %u {kind = min, update_window_dims = [2], scatter_dims = [1], index_vector_dim = 2, operand_batch_dims = [0], indices_batch_dims = [1]}
            """, shape: [2, 4]),
      ]
    ),
  ]
}
