import Testing

@testable import CheckpointCompiler

/// Convolutions of concatenated channels.
@Suite struct ConcatenatedChannelsTests {
  @Test func aDecoderHasNoConcatenation() throws {
    let result = try concatenatedChannels.checked(
      on:
        try differentiatedStep(
          """
          func @main(%x: f32[2,4,5,3], param %wa: f32[3,3,3,16], param %wb: f32[1,1,3,24],
              param %w: f32[3,3,40,16]) -> (loss %loss: f32) {
            %a = conv2d %x, %wa {padding = 1}
            %b = conv2d %x, %wb
            %both = concatenate %a, %b {dim = 3}
            %y = conv2d %both, %w {padding = 1}
            %loss = reduce %y {kind = add, dims = [0, 1, 2, 3]}
            return %loss
          }
          """))
    // What is left puts the gradients of the parts of the kernel together.
    #expect(result.resultShapes(.concatenate) == [[3, 3, 40, 16]])
    #expect(Set(result.resultShapes(.slice)) == [[3, 3, 16, 16], [3, 3, 24, 16]])
    #expect(!result.resultShapes(.convolution).contains([2, 4, 5, 40]))
  }

  @Test func dimensionsMayStandInAnyOrder() throws {
    let result = try concatenatedChannels.checked(
      on:
        try differentiatedStep(
          """
          func @main(%a: f32[16,2,7], %b: f32[32,2,7], %k: f32[8,3,48])
              -> (%y: f32[2,3,8], %low: f32[2,3,16], %high: f32[2,3,16]) {
            %both = concatenate %a, %b {dim = 0}
            %y = convolution %both, %k {dim_numbers = "fb0_o0i->b0f", strides = [2]}
            %wide = convolution %y, %k {dim_numbers = "b0f_i0o->b0f", low = [1], high = [1]}
            %low = slice %wide {start = [0, 0, 8], limit = [2, 3, 24]}
            %high = slice %wide {start = [0, 0, 32], limit = [2, 3, 48]}
            return %y, %low, %high
          }
          """))
    #expect(result.resultShapes(.concatenate).isEmpty)
    #expect(Set(result.resultShapes(.slice)) == [[8, 3, 16], [8, 3, 32]])
    #expect(
      result.resultShapes(.convolution) == [[2, 3, 8], [2, 3, 8], [2, 3, 16], [2, 3, 16]])
  }

  @Test(arguments: [
    // Something else reads what is concatenated.
    "%both = concatenate %a, %b {dim = 3}\n%p = conv2d %both, %w\n%y = multiply %both, %both",
    // The sums would be larger than what is concatenated.
    "%both = concatenate %a, %b {dim = 3}\n%p = conv2d %both, %v\n%y = multiply %p, %p",
    // Parts that are too thin for registers.
    "%both = concatenate %a, %x {dim = 3}\n%p = conv2d %both, %u\n%y = multiply %p, %p",
    // Images, not channels, one below the other.
    "%both = concatenate %a, %a {dim = 1}\n%p = conv2d %both, %t\n%y = multiply %p, %p",
    // Batches, one behind the other.
    "%both = concatenate %i, %i {dim = 0}\n%p = conv2d %both, %j {padding = 1}\n%y = multiply %p, %p",
    // Rows are cut.
    "%p = conv2d %a, %t\n%y = slice %p {start = [0, 1, 0, 0], limit = [2, 3, 4, 16]}",
    // Channels that overlap would be computed twice.
    "%p = conv2d %a, %o\n%q = slice %p {start = [0, 0, 0, 0], limit = [2, 4, 4, 40]}\n"
      + "%r = slice %p {start = [0, 0, 0, 24], limit = [2, 4, 4, 64]}\n%y = add %q, %r",
  ])
  func othersStayAsTheyAre(body: String) throws {
    let function = try differentiatedStep(
      """
      func @main(%x: f32[2,4,4,3], %a: f32[2,4,4,16], %b: f32[2,4,4,16], %w: f32[1,1,32,16],
          %v: f32[1,1,32,64], %u: f32[1,1,19,16], %t: f32[1,1,16,16], %o: f32[1,1,16,64],
          %i: f32[16,4,4,3], param %j: f32[3,3,3,8])
          -> (loss %s: f32) {
        \(body)
        %s = reduce %y {kind = add, dims = [0, 1, 2, 3]}
        return %s
      }
      """)
    #expect(concatenatedChannels.run(function) == nil)
  }

  @Test func sumsOfHalfPrecisionAreRoundedOnce() throws {
    let function = try differentiatedStep(
      """
      func @main(%a: bf16[2,4,4,16], %b: bf16[2,4,4,16], %w: bf16[1,1,32,16]) -> (%y: bf16[2,4,4,16]) {
        %both = concatenate %a, %b {dim = 3}
        %y = conv2d %both, %w
        return %y
      }
      """)
    #expect(concatenatedChannels.run(function) == nil)
  }
}
