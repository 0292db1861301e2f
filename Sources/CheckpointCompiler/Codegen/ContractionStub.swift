struct Contraction: Hashable, Sendable {
  init?(_ signature: OpSignature, result: TensorType) { return nil }
}
func scratchBytes(for contraction: Contraction, target: Target) -> Int { 0 }
func cFunction(for contraction: Contraction, name: String, target: Target) -> String { "" }
enum CGemmSource {
  static func source(for contractions: [Contraction]) -> String { "" }
  static func supportFunctions(for contractions: [Contraction]) -> Set<String> { [] }
}
