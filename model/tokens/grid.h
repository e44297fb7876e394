// The grid patch tokens are pooled to.
//
// Threading: pure functions. Failure: none.
//
//   PooledGrid(14, 14, 196)  // {14, 14}
//   PooledGrid(48, 64, 196)  // {12, 16}: the image's own aspect
#ifndef SIGHTLINE_MODEL_TOKENS_GRID_H_
#define SIGHTLINE_MODEL_TOKENS_GRID_H_

namespace sightline::model {

struct GridSize {
  int height = 0;
  int width = 0;
  friend bool operator==(const GridSize&, const GridSize&) = default;
};

// The largest grid of at most `max_cells` cells, no side longer than the given one, closest to height / width.
GridSize PooledGrid(int height, int width, int max_cells);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_TOKENS_GRID_H_
