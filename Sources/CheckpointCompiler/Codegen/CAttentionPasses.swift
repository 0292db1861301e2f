// The C text of attentions: the pass over the queries forward, and the pass that gives all gradients.
//
// Cost        Forward, two products of queries and keys by features; backward, five, one of them the
//             scores again. Memory beside operands and results is that of one work item per thread.

extension CAttentionSource {
  static let forward = #"""

    /* Queries from..<to of one attention over all keys: y and the logarithms of the sums. */
    CKC_UNUSED static void ckc_attention_forward_@N(const ckc_attention *t, const @S *q, const @S *k,
                                                    const @S *v, const void *mask, const uint32_t *key,
                                                    int64_t first, ptrdiff_t from, ptrdiff_t to,
                                                    @S *y, @T *sums, const ckc_attention_scratch *at,
                                                    @T *scratch) {
      const ptrdiff_t rs = at->rs;
      @T *const rows = scratch + at->k_rows, *const columns = scratch + at->v_columns;
      @T *const q_rows = scratch + at->q_rows;
      @T *const lanes = scratch + at->q_lanes, *const out = scratch + at->y_lanes;
      @T *const tile = scratch + at->tile;
      uint8_t *const kept = (uint8_t *)(void *)(scratch + at->kept);
      ckc_attention_rows_@N(k, t->ks, t->kf, t->keys, t->features, rs, rows);
      ckc_attention_columns_@N(v, t->vs, t->vf, t->keys, t->values, columns);
      for (ptrdiff_t i0 = from; i0 < to; i0 += CKC_ATTENTION_LANES) {
        const ptrdiff_t queries = ckc_least(to - i0, CKC_ATTENTION_LANES);
        const ptrdiff_t all = ckc_seen_keys(t, i0 + queries, 0, t->keys);
        @T most[CKC_ATTENTION_LANES], sum[CKC_ATTENTION_LANES], factor[CKC_ATTENTION_LANES];
        ckc_attention_copy_@N(q + i0 * t->qs, t->qs, t->qf, queries, t->features, at->q_width, q_rows);
        ckc_attention_across_@N(q_rows, at->q_width, queries, t->features, lanes);
        for (ptrdiff_t j = 0; j < CKC_ATTENTION_LANES; ++j) most[j] = -INFINITY;
        for (ptrdiff_t j = 0; j < CKC_ATTENTION_LANES; ++j) sum[j] = 0;
        for (ptrdiff_t f = 0; f < t->values; ++f) {
          for (ptrdiff_t j = 0; j < CKC_ATTENTION_LANES; ++j) out[f * CKC_ATTENTION_STRIDE + j] = 0;
        }
        for (ptrdiff_t k0 = 0; k0 < all; k0 += CKC_ATTENTION_KEYS) {
          const ptrdiff_t keys = ckc_least(all - k0, CKC_ATTENTION_KEYS);
          @T base[CKC_ATTENTION_LANES];
          ckc_attention_dots_@N(t, rs, t->features, rows, lanes, i0, queries, k0, keys, tile);
          ckc_attention_scores_@N(t, mask, i0, queries, k0, keys, tile);
          for (ptrdiff_t j = 0; j < CKC_ATTENTION_LANES; ++j) base[j] = most[j];
          for (ptrdiff_t i = 0; i < keys; ++i) {
            const @T *const row = tile + i * CKC_ATTENTION_STRIDE;
            for (ptrdiff_t j = 0; j < CKC_ATTENTION_LANES; ++j) {
              base[j] = row[j] > base[j] ? row[j] : base[j];
            }
          }
          for (ptrdiff_t j = 0; j < CKC_ATTENTION_LANES; ++j) {
            const @T old = most[j];
            most[j] = base[j];
            /* Where nothing was seen yet there is no largest score to subtract. */
            base[j] = base[j] == -INFINITY ? 0 : base[j];
            factor[j] = @EXP(old - base[j]);
            sum[j] *= factor[j];
          }
          if (k0 > 0) {
            for (ptrdiff_t f = 0; f < t->values; ++f) {
              @T *const row = out + f * CKC_ATTENTION_STRIDE;
              for (ptrdiff_t j = 0; j < CKC_ATTENTION_LANES; ++j) row[j] *= factor[j];
            }
          }
          for (ptrdiff_t i = 0; i < keys; ++i) {
            @T *const row = tile + i * CKC_ATTENTION_STRIDE;
            for (ptrdiff_t j = 0; j < CKC_ATTENTION_LANES; ++j) {
              row[j] = @EXP(row[j] - base[j]);
              sum[j] += row[j];
            }
          }
          if (t->limit > 0) {
            const @T scale = (@T)t->keep_scale;
            ckc_attention_kept(t, key, first + (int64_t)(i0 * t->keys + k0), queries, keys, kept);
            for (ptrdiff_t i = 0; i < keys; ++i) {
              @T *const row = tile + i * CKC_ATTENTION_STRIDE;
              const uint8_t *const is_kept = kept + i * CKC_ATTENTION_LANES;
              for (ptrdiff_t j = 0; j < CKC_ATTENTION_LANES; ++j) {
                row[j] = is_kept[j] ? row[j] * scale : 0;
              }
            }
          }
          ckc_attention_mix_@N(t, t->values, columns, tile, i0, queries, k0, keys, out);
        }
        for (ptrdiff_t j = 0; j < queries; ++j) {
          sums[i0 + j] = (most[j] == -INFINITY ? 0 : most[j]) + @LOG(sum[j]);
        }
        for (ptrdiff_t j = 0; j < CKC_ATTENTION_LANES; ++j) factor[j] = 1 / sum[j];
        ckc_attention_rowwise_@N(out, factor, queries, t->values, y + i0 * t->ys, t->ys, t->yf);
      }
    }

    """#

  static let backward = #"""

    /* All gradients of one attention. Every weight is computed again from its score and the logarithm of
       its sum. */
    CKC_UNUSED static void ckc_attention_backward_@N(const ckc_attention *t, const @S *q, const @S *k,
                                                     const @S *v, const @S *y, const @T *sums,
                                                     const @S *dy, const void *mask,
                                                     const uint32_t *key, int64_t first, @S *dq, @S *dk,
                                                     @S *dv, const ckc_attention_scratch *at,
                                                     @T *scratch) {
      @T *const k_rows = scratch + at->k_rows, *const k_columns = scratch + at->k_columns;
      @T *const v_rows = scratch + at->v_rows;
      @T *const q_lanes = scratch + at->q_lanes, *const q_rows = scratch + at->q_rows;
      @T *const dy_lanes = scratch + at->dy_lanes, *const dy_rows = scratch + at->dy_rows;
      @T *const dq_lanes = scratch + at->dq_lanes;
      @T *const dk_rows = scratch + at->dk_rows, *const dv_rows = scratch + at->dv_rows;
      @T *const tile = scratch + at->tile, *const slopes = scratch + at->slopes;
      uint8_t *const kept = (uint8_t *)(void *)(scratch + at->kept);
      const @T scale = (@T)t->scale, keep_scale = (@T)t->keep_scale;
      @T ones[CKC_ATTENTION_LANES];
      for (ptrdiff_t j = 0; j < CKC_ATTENTION_LANES; ++j) ones[j] = 1;
      ckc_attention_rows_@N(k, t->ks, t->kf, t->keys, t->features, at->rs, k_rows);
      ckc_attention_columns_@N(k, t->ks, t->kf, t->keys, t->features, k_columns);
      ckc_attention_rows_@N(v, t->vs, t->vf, t->keys, t->values, at->v_rs, v_rows);
      for (ptrdiff_t n = 0; n < t->keys * at->q_width; ++n) dk_rows[n] = 0;
      for (ptrdiff_t n = 0; n < t->keys * at->v_width; ++n) dv_rows[n] = 0;
      for (ptrdiff_t i0 = 0; i0 < t->queries; i0 += CKC_ATTENTION_LANES) {
        const ptrdiff_t queries = ckc_least(t->queries - i0, CKC_ATTENTION_LANES);
        const ptrdiff_t all = ckc_seen_keys(t, i0 + queries, 0, t->keys);
        @T total[CKC_ATTENTION_LANES], dot[CKC_ATTENTION_LANES];
        ckc_attention_copy_@N(q + i0 * t->qs, t->qs, t->qf, queries, t->features, at->q_width, q_rows);
        ckc_attention_across_@N(q_rows, at->q_width, queries, t->features, q_lanes);
        ckc_attention_copy_@N(dy + i0 * t->ys, t->ys, t->yf, queries, t->values, at->v_width, dy_rows);
        ckc_attention_across_@N(dy_rows, at->v_width, queries, t->values, dy_lanes);
        ckc_attention_row_dots_@N(dy_rows, at->v_width, y + i0 * t->ys, t->ys, t->yf, queries, t->values,
                                  dot);
        for (ptrdiff_t j = 0; j < CKC_ATTENTION_LANES; ++j) total[j] = j < queries ? sums[i0 + j] : 0;
        for (ptrdiff_t f = 0; f < t->features; ++f) {
          for (ptrdiff_t j = 0; j < CKC_ATTENTION_LANES; ++j) dq_lanes[f * CKC_ATTENTION_STRIDE + j] = 0;
        }
        for (ptrdiff_t k0 = 0; k0 < all; k0 += CKC_ATTENTION_KEYS) {
          const ptrdiff_t keys = ckc_least(all - k0, CKC_ATTENTION_KEYS);
          ckc_attention_dots_@N(t, at->rs, t->features, k_rows, q_lanes, i0, queries, k0, keys, tile);
          ckc_attention_scores_@N(t, mask, i0, queries, k0, keys, tile);
          ckc_attention_dots_@N(t, at->v_rs, t->values, v_rows, dy_lanes, i0, queries, k0, keys, slopes);
          if (t->limit > 0) {
            ckc_attention_kept(t, key, first + (int64_t)(i0 * t->keys + k0), queries, keys, kept);
          }
          for (ptrdiff_t i = 0; i < keys; ++i) {
            @T *const row = tile + i * CKC_ATTENTION_STRIDE;
            @T *const slope = slopes + i * CKC_ATTENTION_STRIDE;
            if (t->limit > 0) {
              const uint8_t *const is_kept = kept + i * CKC_ATTENTION_LANES;
              for (ptrdiff_t j = 0; j < CKC_ATTENTION_LANES; ++j) {
                const @T weight = @EXP(row[j] - total[j]);
                const @T kept_scale = is_kept[j] ? keep_scale : 0;
                slope[j] = weight * (slope[j] * kept_scale - dot[j]) * scale;
                row[j] = weight * kept_scale;
              }
            } else {
              for (ptrdiff_t j = 0; j < CKC_ATTENTION_LANES; ++j) {
                row[j] = @EXP(row[j] - total[j]);
                slope[j] = row[j] * (slope[j] - dot[j]) * scale;
              }
            }
            if (t->mask == 2) {
              const uint8_t *const chosen = (const uint8_t *)mask + i0 * t->ms + (k0 + i) * t->mk;
              for (ptrdiff_t j = 0; j < queries; ++j) slope[j] = chosen[j * t->ms] ? slope[j] : 0;
            }
          }
          ckc_attention_spread_@N(t, t->values, at->v_width, tile, dy_rows, i0, queries, k0, keys,
                                  dv_rows + k0 * at->v_width);
          ckc_attention_spread_@N(t, t->features, at->q_width, slopes, q_rows, i0, queries, k0, keys,
                                  dk_rows + k0 * at->q_width);
          ckc_attention_mix_@N(t, t->features, k_columns, slopes, i0, queries, k0, keys, dq_lanes);
        }
        ckc_attention_rowwise_@N(dq_lanes, ones, queries, t->features, dq + i0 * t->qs, t->qs, t->qf);
      }
      for (ptrdiff_t i = 0; i < t->keys; ++i) {
        for (ptrdiff_t f = 0; f < t->features; ++f) {
          dk[i * t->ks + f * t->kf] = @STORE(dk_rows[i * at->q_width + f]);
        }
        for (ptrdiff_t f = 0; f < t->values; ++f) {
          dv[i * t->vs + f * t->vf] = @STORE(dv_rows[i * at->v_width + f]);
        }
      }
    }

    """#
}
