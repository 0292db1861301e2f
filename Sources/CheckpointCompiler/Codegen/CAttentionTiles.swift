// The C text of attentions: how operands are packed, and products of tiles.

extension CAttentionSource {
  static let tiles = #"""

    /* Asks for rows from .. to of a tensor: they lie apart, on pages of their own, and what the processor
       foresees ends with a page. */
    CKC_UNUSED CKC_INLINE void ckc_attention_fetch_@N(const @S *x, ptrdiff_t xs, ptrdiff_t from,
                                                      ptrdiff_t to, ptrdiff_t features) {
      for (ptrdiff_t i = from; i < to; ++i) CKC_SOON(x + i * xs, features, 0)
    }
    /* Rows as panels of the depth: chunks of at most CKC_ATTENTION_DEPTH features, rows `rs` apart. */
    CKC_UNUSED static void ckc_attention_rows_@N(const @S *CKC_RESTRICT x, ptrdiff_t xs, ptrdiff_t xf,
                                                 ptrdiff_t rows, ptrdiff_t features, ptrdiff_t rs,
                                                 @T *CKC_RESTRICT panel) {
      for (ptrdiff_t f0 = 0; f0 < features; f0 += CKC_ATTENTION_DEPTH) {
        const ptrdiff_t depth = ckc_least(features - f0, CKC_ATTENTION_DEPTH);
        for (ptrdiff_t i = 0; i < rows; ++i) {
          const @S *const row = x + i * xs + f0 * xf;
          ckc_attention_fetch_@N(x + f0, xs, i + 8, ckc_least(i + 9, rows), xf == 1 ? depth : 0);
          if (xf == 1) {
            for (ptrdiff_t f = 0; f < depth; ++f) panel[i * rs + f] = @LOAD(row[f]);
          } else {
            for (ptrdiff_t f = 0; f < depth; ++f) panel[i * rs + f] = @LOAD(row[f * xf]);
          }
        }
        /* A tile reads whole rows beyond the last one. */
        for (ptrdiff_t i = rows; i < rows + CKC_GEMM_ROWS; ++i) {
          for (ptrdiff_t f = 0; f < depth; ++f) panel[i * rs + f] = 0;
        }
        panel += (rows + CKC_GEMM_ROWS) * rs;
      }
    }
    /* Columns as panels of tiles: CKC_GEMM_ROWS features side by side for every row. */
    CKC_UNUSED static void ckc_attention_columns_@N(const @S *CKC_RESTRICT x, ptrdiff_t xs,
                                                    ptrdiff_t xf, ptrdiff_t rows, ptrdiff_t features,
                                                    @T *CKC_RESTRICT panel) {
      for (ptrdiff_t i0 = 0; i0 < rows; i0 += 16) {
        const ptrdiff_t i1 = ckc_least(rows, i0 + 16);
        ckc_attention_fetch_@N(x, xs, i1, ckc_least(rows, i1 + 16), xf == 1 ? features : 0);
        for (ptrdiff_t f0 = 0; f0 < features; f0 += CKC_GEMM_ROWS) {
          const ptrdiff_t width = ckc_least(features - f0, CKC_GEMM_ROWS);
          @T *to = panel + f0 * rows + i0 * CKC_GEMM_ROWS;
          for (ptrdiff_t i = i0; i < i1; ++i) {
            const @S *const row = x + i * xs + f0 * xf;
            if (xf == 1 && width == CKC_GEMM_ROWS) {
              for (ptrdiff_t f = 0; f < CKC_GEMM_ROWS; ++f) to[f] = @LOAD(row[f]);
            } else {
              for (ptrdiff_t f = 0; f < CKC_GEMM_ROWS; ++f) to[f] = f < width ? @LOAD(row[f * xf]) : 0;
            }
            to += CKC_GEMM_ROWS;
          }
        }
      }
    }
    /* Rows as they are, `width` apart and padded with zeros: the columns of a product. */
    CKC_UNUSED static void ckc_attention_copy_@N(const @S *CKC_RESTRICT x, ptrdiff_t xs, ptrdiff_t xf,
                                                 ptrdiff_t rows, ptrdiff_t features, ptrdiff_t width,
                                                 @T *CKC_RESTRICT panel) {
      for (ptrdiff_t i = 0; i < rows; ++i) {
        const @S *const row = x + i * xs;
        ckc_attention_fetch_@N(x, xs, i + 8, ckc_least(i + 9, rows), xf == 1 ? features : 0);
        if (xf == 1) {
          for (ptrdiff_t f = 0; f < features; ++f) panel[i * width + f] = @LOAD(row[f]);
        } else {
          for (ptrdiff_t f = 0; f < features; ++f) panel[i * width + f] = @LOAD(row[f * xf]);
        }
        for (ptrdiff_t f = features; f < width; ++f) panel[i * width + f] = 0;
      }
    }
    /* Copied rows across lanes: feature f of row j at f * CKC_ATTENTION_STRIDE + j; 0 in lanes without a
       row. */
    CKC_UNUSED static void ckc_attention_across_@N(const @T *CKC_RESTRICT copied, ptrdiff_t width,
                                                   ptrdiff_t rows, ptrdiff_t features,
                                                   @T *CKC_RESTRICT panel) {
      for (ptrdiff_t j0 = 0; j0 < rows; j0 += 16) {
        const ptrdiff_t j1 = ckc_least(rows, j0 + 16);
        @TURN
        for (ptrdiff_t f = 0; f < features; ++f) {
          for (ptrdiff_t j = j0; j < j1; ++j) panel[f * CKC_ATTENTION_STRIDE + j] = copied[j * width + f];
        }
      }
      for (ptrdiff_t f = 0; f < features; ++f) {
        for (ptrdiff_t j = rows; j < CKC_ATTENTION_LANES; ++j) panel[f * CKC_ATTENTION_STRIDE + j] = 0;
      }
    }
    /* For each row, the product of a copied row with one in memory: sixteen partial sums, then of those
       that are half as many apart. */
    CKC_UNUSED static void ckc_attention_row_dots_@N(const @T *CKC_RESTRICT copied, ptrdiff_t width,
                                                     const @S *CKC_RESTRICT x, ptrdiff_t xs, ptrdiff_t xf,
                                                     ptrdiff_t rows, ptrdiff_t features,
                                                     @T *CKC_RESTRICT dots) {
      for (ptrdiff_t j = 0; j < CKC_ATTENTION_LANES; ++j) dots[j] = 0;
      for (ptrdiff_t j = 0; j < rows; ++j) {
        const @T *const own = copied + j * width;
        const @S *const row = x + j * xs;
        @T part[16] = {0};
        ckc_attention_fetch_@N(x, xs, j + 8, ckc_least(j + 9, rows), xf == 1 ? features : 0);
        for (ptrdiff_t f0 = 0; f0 < features; f0 += 16) {
          const ptrdiff_t count = ckc_least(features - f0, 16);
          if (xf == 1 && count == 16) {
            for (ptrdiff_t l = 0; l < 16; ++l) part[l] += own[f0 + l] * @LOAD(row[f0 + l]);
          } else {
            for (ptrdiff_t l = 0; l < count; ++l) part[l] += own[f0 + l] * @LOAD(row[(f0 + l) * xf]);
          }
        }
        for (ptrdiff_t half = 8; half > 0; half /= 2) {
          for (ptrdiff_t l = 0; l < half; ++l) part[l] += part[l + half];
        }
        dots[j] = part[0];
      }
    }
    /* Lanes back to rows, each element times the number of its lane. */
    CKC_UNUSED static void ckc_attention_rowwise_@N(const @T *CKC_RESTRICT panel, const @T *factor,
                                                    ptrdiff_t rows, ptrdiff_t features,
                                                    @S *CKC_RESTRICT x, ptrdiff_t xs, ptrdiff_t xf) {
      for (ptrdiff_t f0 = 0; f0 < features; f0 += 16) {
        const ptrdiff_t f1 = ckc_least(features, f0 + 16);
        for (ptrdiff_t j = 0; j < rows; ++j) {
          for (ptrdiff_t f = f0; f < f1; ++f) {
            x[j * xs + f * xf] = @STORE(panel[f * CKC_ATTENTION_STRIDE + j] * factor[j]);
          }
        }
      }
    }
    /* Products of rows of keys or values k0..<k0 + keys with lanes: those that the queries of a panel of
       lanes see; 0 elsewhere. */
    CKC_UNUSED static void ckc_attention_dots_@N(const ckc_attention *t, ptrdiff_t rs,
                                                 ptrdiff_t features, const @T *CKC_RESTRICT rows,
                                                 const @T *CKC_RESTRICT lanes, ptrdiff_t i0,
                                                 ptrdiff_t queries, ptrdiff_t k0, ptrdiff_t keys,
                                                 @T *CKC_RESTRICT tile) {
      const ptrdiff_t columns = CKC_GEMM_COLUMNS(@T);
      for (ptrdiff_t c = 0; c < CKC_ATTENTION_LANES; c += columns) {
        const ptrdiff_t seen = c < queries ? ckc_seen_keys(t, i0 + c + columns, k0, keys) : 0;
        for (ptrdiff_t f0 = 0; f0 < features; f0 += CKC_ATTENTION_DEPTH) {
          const ckc_runs run = {1, {0}, {ckc_least(features - f0, CKC_ATTENTION_DEPTH)}};
          const @T *const chunk = rows + f0 / CKC_ATTENTION_DEPTH * (t->keys + CKC_GEMM_ROWS) * rs;
          for (ptrdiff_t k = 0; k < seen; k += CKC_GEMM_ROWS) {
            ckc_gemm_@C(ckc_least(seen - k, CKC_GEMM_ROWS), columns, &run,
                        chunk + (k0 + k) * rs, rs, 1, lanes + f0 * CKC_ATTENTION_STRIDE + c,
                        CKC_ATTENTION_STRIDE, tile + k * CKC_ATTENTION_STRIDE + c,
                        CKC_ATTENTION_STRIDE, f0 > 0);
          }
        }
        for (ptrdiff_t k = seen; k < keys; ++k) {
          for (ptrdiff_t j = 0; j < columns; ++j) tile[k * CKC_ATTENTION_STRIDE + c + j] = 0;
        }
      }
    }
    /* sums[features, lanes] += columns of keys or values k0..<k0 + keys times a tile of weights. */
    CKC_UNUSED static void ckc_attention_mix_@N(const ckc_attention *t, ptrdiff_t features,
                                                const @T *CKC_RESTRICT panels,
                                                const @T *CKC_RESTRICT tile, ptrdiff_t i0,
                                                ptrdiff_t queries, ptrdiff_t k0,
                                                ptrdiff_t keys, @T *CKC_RESTRICT sums) {
      const ptrdiff_t columns = CKC_GEMM_COLUMNS(@T);
      for (ptrdiff_t c = 0; c < CKC_ATTENTION_LANES; c += columns) {
        const ptrdiff_t seen = c < queries ? ckc_seen_keys(t, i0 + c + columns, k0, keys) : 0;
        if (seen == 0) continue;
        const ckc_runs run = {1, {0}, {seen}};
        for (ptrdiff_t f = 0; f < features; f += CKC_GEMM_ROWS) {
          ckc_gemm_@C(ckc_least(features - f, CKC_GEMM_ROWS), columns, &run,
                      panels + f * t->keys + k0 * CKC_GEMM_ROWS, 1, CKC_GEMM_ROWS, tile + c, CKC_ATTENTION_STRIDE,
                      sums + f * CKC_ATTENTION_STRIDE + c, CKC_ATTENTION_STRIDE, 1);
        }
      }
    }
    /* sums[keys, features] += a tile of weights times rows of queries, `width` apart. */
    CKC_UNUSED static void ckc_attention_spread_@N(const ckc_attention *t, ptrdiff_t features,
                                                   ptrdiff_t width,
                                                   const @T *CKC_RESTRICT tile,
                                                   const @T *CKC_RESTRICT rows, ptrdiff_t i0,
                                                   ptrdiff_t queries, ptrdiff_t k0, ptrdiff_t keys,
                                                   @T *CKC_RESTRICT sums) {
      const ptrdiff_t columns = CKC_GEMM_COLUMNS(@T);
      for (ptrdiff_t f = 0; f < features; f += columns) {
        for (ptrdiff_t k = 0; k < keys; k += CKC_GEMM_ROWS) {
          /* Queries before the first that sees key k have weight 0 for it and all later ones. */
          const ptrdiff_t before = k0 + k - t->last - i0;
          if (before >= queries) break;
          const ckc_runs run = {1, {before > 0 ? before : 0}, {queries}};
          ckc_gemm_@C(ckc_least(keys - k, CKC_GEMM_ROWS), columns, &run,
                      tile + k * CKC_ATTENTION_STRIDE, CKC_ATTENTION_STRIDE, 1, rows + f, width,
                      sums + k * width + f, width, 1);
        }
      }
    }
    /* Products to scores: scaled, masked, -INFINITY where a query does not see a key. */
    CKC_UNUSED static void ckc_attention_scores_@N(const ckc_attention *t, const void *mask,
                                                   ptrdiff_t i0, ptrdiff_t queries, ptrdiff_t k0,
                                                   ptrdiff_t keys, @T *CKC_RESTRICT tile) {
      const @T scale = (@T)t->scale;
      for (ptrdiff_t k = 0; k < keys; ++k) {
        @T *const row = tile + k * CKC_ATTENTION_STRIDE;
        for (ptrdiff_t j = 0; j < CKC_ATTENTION_LANES; ++j) row[j] *= scale;
        const ptrdiff_t at = i0 * t->ms + (k0 + k) * t->mk;
        if (t->mask == 1) {
          const @S *const added = (const @S *)mask + at;
          for (ptrdiff_t j = 0; j < queries; ++j) row[j] += @LOAD(added[j * t->ms]);
        } else if (t->mask == 2) {
          const uint8_t *const chosen = (const uint8_t *)mask + at;
          for (ptrdiff_t j = 0; j < queries; ++j) row[j] = chosen[j * t->ms] ? row[j] : (@T)t->fill;
        }
        const ptrdiff_t unseen = ckc_least(k0 + k - t->last - i0, CKC_ATTENTION_LANES);
        for (ptrdiff_t j = 0; j < unseen; ++j) row[j] = -INFINITY;
      }
    }

    """#
}
