import Testing

@testable import CheckpointCompiler

/// Convolution networks that are written with channels before places.
@Suite struct ChannelsLastTests {
  private func transposes(_ function: Function) -> [TensorType] {
    function.blocks[function.body].ops.filter { function.ops[$0].opcode == .transpose }.map {
      function.type(of: function.operands(of: $0).first!)
    }
  }

  @Test func aNetworkIsTurnedOnce() throws {
    let function = try differentiatedStep(
      """
      func @main(%x: f32[2,3,8,10], param %w: f32[8,3,3,3], param %b: f32[8],
          param %v: f32[8,8,3,3], param %u: f32[8,5]) -> (loss %loss: f32) {
        %p = convolution %x, %w {dim_numbers = "bf01_oi01->bf01", low = [1, 1], high = [1, 1]}
        %c = broadcast_in_dim %b {dims = [1]} : f32[2,8,8,10]
        %q = add %p, %c
        %r = maximum %q, 0.0
        %m = reduce_window %r {kind = max, window = [1, 1, 2, 2], strides = [1, 1, 2, 2]}
        %n = convolution %m, %v {dim_numbers = "bf01_oi01->bf01", low = [1, 1], high = [1, 1]}
        %s = add %n, %m
        %a = reduce %s {kind = add, dims = [2, 3]}
        %y = dot_general %a, %u {lhs_contract = [1], rhs_contract = [0]}
        %loss = reduce %y {kind = add, dims = [0, 1]}
        return %loss
      }
      """)
    let found = transposes(try channelsLast.checked(on: function)).map(\.shape)
    // The image, and the gradients of both kernels.
    #expect(found == [[2, 3, 8, 10], [3, 3, 8, 8], [3, 3, 3, 8]])
  }

  @Test func groupsStridesAndBlocksStay() throws {
    _ = try channelsLast.checked(
      on:
        try differentiatedStep(
          """
          func @main(%x: f32[2,4,9,8], param %w: f32[8,2,3,3], param %v: f32[8,1,3,2]) -> (loss %loss: f32) {
            %p = convolution %x, %w {dim_numbers = "bf01_oi01->bf01", strides = [2, 1],
                low = [1, 2], high = [0, 1], feature_groups = 2, window_reversal = [1, 0]}
            %q = convolution %p, %v {dim_numbers = "bf01_oi01->bf01", rhs_dilation = [2, 1],
                low = [2, 0], high = [2, 1], feature_groups = 8}
            %r = multiply %q, %q
            %loss = reduce %r {kind = add, dims = [0, 1, 2, 3]}
            return %loss
          }
          """))
  }

  @Test func whatNeedsTheTextsOrderGetsIt() throws {
    let function = try differentiatedStep(
      """
      func @main(%x: f32[2,4,4,6], %w: f32[4,4,3,3], %s: f32[2,4,4,6])
          -> (%y: f32[2,4,4,6], %flat: f32[2,96], %rows: f32[2,4,4], %both: f32[4,8,4,6]) {
        %p = convolution %x, %w {dim_numbers = "bf01_oi01->bf01", low = [1, 1], high = [1, 1]}
        %y = multiply %p, %s
        %flat = reshape %y : f32[2,96]
        %rows = reduce %y {kind = add, dims = [3]}
        %pad = pad %p, 1.0 {low = [1, 0, 0, 0], high = [1, 4, 0, 0]}
        %cut = slice %pad {start = [0, 0, 0, 0], limit = [4, 4, 4, 6]}
        %both = concatenate %cut, %cut {dim = 1}
        return %y, %flat, %rows, %both
      }
      """)
    _ = try channelsLast.checked(on: function)
  }

  @Test func channelsLastStayAsTheyAre() throws {
    let function = try differentiatedStep(
      """
      func @main(%x: f32[2,8,8,4], %w: f32[3,3,4,8]) -> f32[2,6,6,8] {
        %p = convolution %x, %w {dim_numbers = "b01f_01io->b01f"}
        return %p
      }
      """)
    #expect(channelsLast.run(function) == nil)
  }
}
