// Scaled dot-product attention.

extension Prelude {
  static let attention = """
    // Attention of q [B, H, TQ, D] over keys k [B, H, TK, D] and values v [B, H, TK, D]:
    // [B, H, TQ, D]. With `causal = true` a query sees the keys up to its own place, both counted
    // from the end.
    func @attention<T: dtype, B, H, TQ, TK, D>(
        %q: T[B, H, TQ, D], %k: T[B, H, TK, D], %v: T[B, H, TK, D];
        causal = false, scale = 1.0 / sqrt(D)) -> T[B, H, TQ, D] {
      %scores = dot_general %q, %k {
        lhs_batch = [0, 1], rhs_batch = [0, 1], lhs_contract = [3], rhs_contract = [3]}
      %weights = attention_weights %scores {causal = causal, scale = scale}
      %y = dot_general %weights, %v {
        lhs_batch = [0, 1], rhs_batch = [0, 1], lhs_contract = [3], rhs_contract = [2]}
      return %y
    }

    // Softmax of scaled scores [B, H, TQ, TK], the future left out where `causal`.
    func @attention_weights<T: dtype, B, H, TQ, TK>(%scores: T[B, H, TQ, TK]; causal, scale)
        -> T[B, H, TQ, TK] {
      %scaled = multiply %scores, scale
      %masked = if causal {
        %row = iota {dim = 2} : i32[B, H, TQ, TK]
        %last = add %row, TK - TQ
        %column = iota {dim = 3} : i32[B, H, TQ, TK]
        %is_seen = compare %column, %last {direction = le}
        %seen = select %is_seen, %scaled, -inf
        yield %seen
      } else {
        yield %scaled
      }
      %y = softmax %masked
      return %y
    }

    // Self-attention of x [B, S, C] with heads of width D: queries, keys and values through
    // wq, wk, wv [C, H, D], the heads joined through wo [H, D, C]. Heads are dimensions of the
    // weights, so that nothing is split or transposed.
    func @multi_head_attention<T: dtype, B, S, C, H, D>(
        %x: T[B, S, C], %wq: T[C, H, D], %wk: T[C, H, D], %wv: T[C, H, D], %wo: T[H, D, C];
        causal = false, scale = 1.0 / sqrt(D)) -> T[B, S, C] {
      %q = dot_general %x, %wq {lhs_contract = [2], rhs_contract = [0]}
      %k = dot_general %x, %wk {lhs_contract = [2], rhs_contract = [0]}
      %v = dot_general %x, %wv {lhs_contract = [2], rhs_contract = [0]}
      %scores = dot_general %q, %k {
        lhs_batch = [0, 2], rhs_batch = [0, 2], lhs_contract = [3], rhs_contract = [3]}
      %weights = attention_weights %scores {causal = causal, scale = scale}
      %heads = dot_general %weights, %v {
        lhs_batch = [0, 1], rhs_batch = [0, 2], lhs_contract = [3], rhs_contract = [1]}
      %y = dot_general %heads, %wo {lhs_contract = [1, 3], rhs_contract = [0, 1]}
      return %y
    }
    """
}
