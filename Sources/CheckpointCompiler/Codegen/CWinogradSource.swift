// The C text that convolutions by minimal filtering share: the transforms.
//
// Method      Every transform goes over vectors of channels or columns, which are neighbours in memory:
//             16 places of a tile are 16 vectors. Tiles that reach over an edge read zeros there.
// Matrices    B^T of the inputs is [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1], A^T of the outputs
//             [1 1 1 0; 0 1 -1 -1], G of the taps [1 0 0; 1/2 1/2 1/2; 1/2 -1/2 1/2; 0 0 1]; the gradient
//             of the taps is G^T (B^T d B * A y A^T) G.
// Invariants  Multiply-adds are not fused here: the functions are outside CKC_CONTRACT.
// Source      Lavin & Gray, 2016, section 4.1.

/// The shared C text of minimal filtering.
enum CWinogradSource {
  /// The text for some contractions, after that of packing; empty where none is computed so.
  static func source(for contractions: [Contraction]) -> String {
    let roles = Set(contractions.compactMap { $0.winograd?.role })
    guard !roles.isEmpty else { return "" }
    return common + (roles.contains(.outputs) ? outputs : "") + (roles.contains(.taps) ? taps : "")
  }

  private static let common = #"""

    /* Winograd. An operand as tiles of neighbouring places: tiles along each axis, the distance of
       images, and of each axis the position of the first tile, the extent and the stride. */
    typedef struct { ptrdiff_t tiles[2], image, start[2], extent[2], stride[2]; } ckc_grid;
    #ifdef CKC_GEMM_VECTORS
    typedef float ckc_v __attribute__((vector_size(CKC_GEMM_BYTES), aligned(4)));
    #else
    typedef float ckc_v;
    #endif
    #define CKC_V ((ptrdiff_t)(sizeof(ckc_v) / sizeof(float)))
    #define CKC_AT(p) (*(const ckc_v *)(const void *)(p))
    #define CKC_PUT(p, value) (*(ckc_v *)(void *)(p) = (value))

    /* Where the size x size places of a tile are; what is outside reads zeros. */
    CKC_UNUSED static void ckc_tile_places(
      const ckc_grid *grid, const float *x, const float *zeros, ptrdiff_t row, ptrdiff_t column,
      ptrdiff_t size, const float **at)
    {
      const ptrdiff_t y = row % grid->tiles[0] * 2 + grid->start[0];
      const ptrdiff_t z = column * 2 + grid->start[1];
      x += row / grid->tiles[0] * grid->image;
      for (ptrdiff_t i = 0; i < size; ++i) {
        for (ptrdiff_t j = 0; j < size; ++j) {
          const int inside = (size_t)(y + i) < (size_t)grid->extent[0]
            && (size_t)(z + j) < (size_t)grid->extent[1];
          const ptrdiff_t place = (y + i) * grid->stride[0] + (z + j) * grid->stride[1];
          at[i * size + j] = inside ? x + place : zeros;
        }
      }
    }

    /* A row of tiles of 4 x 4 inputs: B^T d B. Tiles are step apart, the 16 places plane. */
    CKC_UNUSED static void ckc_winograd_inputs(
      const ckc_grid *grid, const float *x, const float *zeros, ptrdiff_t row, ptrdiff_t channels,
      float *to, ptrdiff_t step, ptrdiff_t plane)
    {
      for (ptrdiff_t column = 0; column < grid->tiles[1]; ++column, to += step) {
        const float *at[16];
        ckc_tile_places(grid, x, zeros, row, column, 4, at);
        for (ptrdiff_t k = 0; k < channels; k += CKC_V) {
          ckc_v t[4][4];
          for (int j = 0; j < 4; ++j) {
            const ckc_v a = CKC_AT(at[j] + k), b = CKC_AT(at[4 + j] + k);
            const ckc_v c = CKC_AT(at[8 + j] + k), d = CKC_AT(at[12 + j] + k);
            t[0][j] = a - c;
            t[1][j] = b + c;
            t[2][j] = c - b;
            t[3][j] = b - d;
          }
          for (int i = 0; i < 4; ++i) {
            float *const out = to + i * 4 * plane + k;
            CKC_PUT(out, t[i][0] - t[i][2]);
            CKC_PUT(out + plane, t[i][1] + t[i][2]);
            CKC_PUT(out + 2 * plane, t[i][2] - t[i][1]);
            CKC_PUT(out + 3 * plane, t[i][1] - t[i][3]);
          }
        }
      }
    }

    """#

  private static let outputs = #"""

    /* Taps of count channels and columns, the nine tap apart: G g G^T, the 16 places plane apart. */
    CKC_UNUSED static void ckc_winograd_filters(
      const float *g, ptrdiff_t tap, ptrdiff_t count, float *to, ptrdiff_t plane)
    {
      for (ptrdiff_t k = 0; k < count; k += CKC_V) {
        ckc_v t[4][3];
        for (int j = 0; j < 3; ++j) {
          const ckc_v a = CKC_AT(g + j * tap + k), b = 0.5f * CKC_AT(g + (3 + j) * tap + k);
          const ckc_v c = CKC_AT(g + (6 + j) * tap + k), half = 0.5f * (a + c);
          t[0][j] = a;
          t[1][j] = half + b;
          t[2][j] = half - b;
          t[3][j] = c;
        }
        for (int i = 0; i < 4; ++i) {
          const ckc_v half = 0.5f * (t[i][0] + t[i][2]), b = 0.5f * t[i][1];
          float *const out = to + i * 4 * plane + k;
          CKC_PUT(out, t[i][0]);
          CKC_PUT(out + plane, half + b);
          CKC_PUT(out + 2 * plane, half - b);
          CKC_PUT(out + 3 * plane, t[i][2]);
        }
      }
    }

    /* The 2 x 2 results of a tile for the columns of a register tile: A^T m A. */
    CKC_UNUSED static void ckc_winograd_outputs(const float *m, ptrdiff_t plane, float *to)
    {
      const ptrdiff_t width = CKC_GEMM_COLUMNS(float);
      for (ptrdiff_t k = 0; k < width; k += CKC_V) {
        ckc_v t[2][4];
        for (int j = 0; j < 4; ++j) {
          const ckc_v a = CKC_AT(m + j * plane + k), b = CKC_AT(m + (4 + j) * plane + k);
          const ckc_v c = CKC_AT(m + (8 + j) * plane + k), d = CKC_AT(m + (12 + j) * plane + k);
          t[0][j] = a + b + c;
          t[1][j] = b - c - d;
        }
        for (int i = 0; i < 2; ++i) {
          CKC_PUT(to + 2 * i * width + k, t[i][0] + t[i][1] + t[i][2]);
          CKC_PUT(to + (2 * i + 1) * width + k, t[i][1] - t[i][2] - t[i][3]);
        }
      }
    }

    """#

  private static let taps = #"""

    /* A row of tiles of 2 x 2 places of a gradient: A y A^T. */
    CKC_UNUSED static void ckc_winograd_gradients(
      const ckc_grid *grid, const float *y, const float *zeros, ptrdiff_t row, ptrdiff_t columns,
      float *to, ptrdiff_t step, ptrdiff_t plane)
    {
      for (ptrdiff_t column = 0; column < grid->tiles[1]; ++column, to += step) {
        const float *at[4];
        ckc_tile_places(grid, y, zeros, row, column, 2, at);
        for (ptrdiff_t k = 0; k < columns; k += CKC_V) {
          const ckc_v a = CKC_AT(at[0] + k), b = CKC_AT(at[1] + k);
          const ckc_v c = CKC_AT(at[2] + k), d = CKC_AT(at[3] + k);
          const ckc_v t[4][2] = {{a, b}, {a + c, b + d}, {a - c, b - d}, {-c, -d}};
          for (int i = 0; i < 4; ++i) {
            float *const out = to + i * 4 * plane + k;
            CKC_PUT(out, t[i][0]);
            CKC_PUT(out + plane, t[i][0] + t[i][1]);
            CKC_PUT(out + 2 * plane, t[i][0] - t[i][1]);
            CKC_PUT(out + 3 * plane, -t[i][1]);
          }
        }
      }
    }

    /* The 9 taps of a channel for the columns of a register tile: G^T m G. */
    CKC_UNUSED static void ckc_winograd_taps(const float *m, ptrdiff_t plane, float *to)
    {
      const ptrdiff_t width = CKC_GEMM_COLUMNS(float);
      for (ptrdiff_t k = 0; k < width; k += CKC_V) {
        ckc_v t[3][4];
        for (int j = 0; j < 4; ++j) {
          const ckc_v a = CKC_AT(m + j * plane + k), b = CKC_AT(m + (4 + j) * plane + k);
          const ckc_v c = CKC_AT(m + (8 + j) * plane + k), d = CKC_AT(m + (12 + j) * plane + k);
          const ckc_v half = 0.5f * (b + c);
          t[0][j] = a + half;
          t[1][j] = 0.5f * (b - c);
          t[2][j] = half + d;
        }
        for (int i = 0; i < 3; ++i) {
          const ckc_v half = 0.5f * (t[i][1] + t[i][2]);
          CKC_PUT(to + 3 * i * width + k, t[i][0] + half);
          CKC_PUT(to + (3 * i + 1) * width + k, 0.5f * (t[i][1] - t[i][2]));
          CKC_PUT(to + (3 * i + 2) * width + k, half + t[i][3]);
        }
      }
    }

    """#
}
