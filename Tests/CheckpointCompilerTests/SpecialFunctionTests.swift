// Special functions against mpmath, neighbours of numbers, and random bits against JAX.

import CompilerTesting
import Testing

@testable import CheckpointCompiler

/// A special function, and what mpmath gives for it.
private struct SpecialValue: Sendable, CustomTestStringConvertible {
  var layer: String
  /// Where it is evaluated: a row for every operand.
  var operands: [[Double]]
  var values: [Double]

  var testDescription: String { layer }
}

@Suite struct SpecialFunctionTests {
  private static let gammaPlaces: [[Double]] = [[0.1, 0.75, 1.25, 3.5, 30, -0.5, -2.25]]
  private static let besselPlaces: [[Double]] = [[0.1, -2.5, 7.5, 20, -700]]
  private static let functions: [SpecialValue] = [
    SpecialValue(
      layer: "lgamma", operands: gammaPlaces,
      values: [
        2.252712651734206, 0.20328095143129538, -0.09827183642181316, 1.2009736023470743,
        71.25703896716801, 1.2655121234846454, 0.5555015450206475,
      ]),
    SpecialValue(
      layer: "digamma", operands: gammaPlaces,
      values: [
        -10.423754940411076, -1.0858608797864722, -0.22745353337626542, 1.103156640645243,
        3.384438132685525, 0.03648997397857652, 4.158583564657972,
      ]),
    SpecialValue(
      layer: "erf_inv", operands: [[0.1, 0.5, -0.9, 0.999, -1e-10]],
      values: [
        0.08885599049425769, 0.4769362762044699, -1.1630871536766743, 2.3267537655135246,
        -8.862269254527581e-11,
      ]),
    SpecialValue(
      layer: "bessel_i0e", operands: besselPlaces,
      values: [
        0.9071009257823011, 0.27004644161220276, 0.14831583007739552, 0.08978031188482602,
        0.015081295651531358,
      ]),
    SpecialValue(
      layer: "bessel_i1e", operands: besselPlaces,
      values: [
        0.045298446808809324, -0.20658464953126657, 0.1380412115485542, 0.08750622218328867,
        -0.015070519444716848,
      ]),
    SpecialValue(
      layer: "polygamma",
      operands: [[0, 1, 2, 3, 4, 1, 2, 9], [1.5, 0.3, 4, -1.25, -0.4, -2.5, -0.75, 2]],
      values: [
        0.03648997397857652, 12.245364546107732, -0.0800397322451145, 1558.2209125348506,
        2032.5572680707373, 9.539246644989124, -124.58699919679619, 360.9114223826268,
      ]),
    SpecialValue(
      layer: "zeta", operands: [[2, 1.5, 6, 3], [1, 0.25, 10, 0.5]],
      values: [1.6449340668482264, 10.213055360466601, 2.5495430176439017e-06, 8.414398322117159]),
  ]

  private func value(_ layer: String, _ operands: [Tensor]) throws -> Tensor {
    let names = operands.indices.map { "%x\($0)" }
    let arguments = zip(names, operands).map { "\($0): \($1.type)" }.joined(separator: ", ")
    let module = try moduleOf(
      """
      func @main(\(arguments)) {
        %y = \(layer) \(names.joined(separator: ", "))
        return %y
      }
      """)
    return try interpret(inlined(module.entry, in: module), arguments: operands)[0]
  }

  @Test(arguments: functions)
  private func valuesAreThoseOfMpmath(function: SpecialValue) throws {
    for dtype in [DType.f64, .f32, .f16] {
      let operands = function.operands.map { tensor(dtype, $0) }
      // Below f64, where the operand is another number, only the last digits are.
      let isExact = dtype == .f64
      let found = try value(function.layer, operands).floats
      for (a, b) in zip(found, function.values) {
        let slack = isExact ? 1e-13 : dtype == .f32 ? 1e-5 : 0.02
        #expect(
          abs(a - b) <= slack * max(abs(b), dtype == .f16 ? 0.01 : 0), "\(dtype): \(a), not \(b)")
      }
    }
  }

  @Test func polesAndEnds() throws {
    let infinite = tensor(.f32, [.infinity, -.infinity, 0, -3])
    #expect(try value("lgamma", [infinite]).floats == [.infinity, .infinity, .infinity, .infinity])
    let poles = try value("digamma", [tensor(.f32, [0, -2, .nan, 1e30])]).floats
    #expect(poles[0].isNaN && poles[1].isNaN && poles[2].isNaN && poles[3].isFinite)
    let ends = try value("erf_inv", [tensor(.f32, [1, -1, 0, 1.5])]).floats
    #expect(ends[0] == .infinity && ends[1] == -.infinity && ends[2] == 0 && ends[3].isNaN)
    #expect(try value("bessel_i1e", [tensor(.f32, [0, 1e30])]).floats[0] == 0)
    let orders = try value("polygamma", [tensor(.f32, [-1, 0.5]), tensor(.f32, [2, 2])]).floats
    #expect(orders.allSatisfy { $0.isNaN })
    let zeta = try value("zeta", [tensor(.f64, [1, 0.5, 2, 3]), tensor(.f64, [2, 2, -1, -1])])
      .floats
    #expect(zeta[0] == .infinity && zeta[1].isNaN && zeta[2] == .infinity && zeta[3].isNaN)
  }

  @Test func infinities() throws {
    let x = tensor(.bf16, [.infinity, -.infinity, .nan, 3])
    #expect(try value("is_inf", [x]).floats == [1, 1, 0, 0])
    #expect(try value("is_pos_inf", [x]).floats == [1, 0, 0, 0])
    #expect(try value("is_neg_inf", [x]).floats == [0, 1, 0, 0])
    #expect(try value("square", [tensor(.i8, [-3, 16])]).floats == [9, 0])
  }

  @Test func neighbours() throws {
    func next(_ dtype: DType, _ x: [Double], _ y: [Double]) throws -> [Double] {
      try value("next_after", [tensor(dtype, x), tensor(dtype, y)]).floats
    }
    #expect(
      try next(.f32, [1, 1, 0, -0.0, -1, .infinity], [2, 0, -1, 1, 0, 0])
        == [1 + 0x1p-23, 1 - 0x1p-24, -0x1p-149, 0x1p-149, -1 + 0x1p-24, 0x1.fffffep127])
    #expect(try next(.f64, [1], [2]) == [1 + 0x1p-52])
    #expect(try next(.bf16, [1, 0], [2, 1]) == [1 + 0x1p-7, 0x1p-133])
    #expect(try next(.f16, [65_504, 3], [.infinity, 3]) == [.infinity, 3])
    #expect(try next(.f32, [.nan, 1], [1, .nan]).allSatisfy { $0.isNaN })
  }

  @Test func randomBitsAreThoseOfXLA() throws {
    func run(_ call: String) throws -> [Tensor] {
      let module = try moduleOf(
        """
        func @main(%s: ui64[2]) {
          %n, %b = \(call)
          return %n, %b
        }
        """)
      let state = tensor(
        .ui64, integers: [0x0123_4567_89AB_CDEF, Int64(bitPattern: 0xFEDC_BA98_7654_3210)])
      return try interpret(inlined(module.entry, in: module), arguments: [state])
    }
    // jax.lax.rng_bit_generator of shapes (2, 3) and (5,).
    let pairs = try run("threefry %s {extent = 2, inner = 3, to = ui32}")
    #expect(
      pairs[1].integers == [
        0xAED4_A37F, 0xC3CC_4D02, 0xAEE5_264E, 0x1130_D111, 0x798E_402E, 0xB089_DA7A,
      ])
    #expect(pairs[0].integers[1] == Int64(bitPattern: 0xFEDC_BA98_7654_3213))
    let narrow = try run("threefry %s {extent = 5, to = ui8}")
    #expect(narrow[1].integers == [0x7F, 0x11, 0x02, 0x2E, 0x4E])
    let wide = try run("threefry %s {extent = 5, to = ui64}")
    #expect(wide[1].integers[0] == 0x1130_D111_AED4_A37F)
    #expect(wide[1].integers[4] == Int64(bitPattern: 0xDDE9_4182_E8E5_2210))
    #expect(wide[0].integers[1] == Int64(bitPattern: 0xFEDC_BA98_7654_3215))
    let four = try run("philox %s {count = 6, to = ui32}")
    #expect(
      four[1].integers == [
        0x1EC5_3D42, 0xCFA3_90B5, 0xF223_5702, 0xE71F_F917, 0xCB47_2319, 0xD682_777A,
      ])
    #expect(four[0].integers[1] == Int64(bitPattern: 0xFEDC_BA98_7654_3212))
    let two = try run("philox %s {count = 5, to = ui64}")
    #expect(two[1].integers[4] == 0x3E1B_9C67_9F63_DD49)
    #expect(two[0].integers[1] == Int64(bitPattern: 0xFEDC_BA98_7654_3213))
    #expect(
      try run("philox %s {count = 5, to = ui16}")[1].integers
        == [0x3D42, 0x90B5, 0x5702, 0xF917, 0x2319])
  }
}
