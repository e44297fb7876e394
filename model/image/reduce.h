// Reducing while decoding: rows go in one after another, and only the reduced image is ever held.
//
// Threading: a RowReducer belongs to one thread. Ownership: the reduced pixels are the caller's. Failure: none.
//
//   RowReducer reducer(width, height, ReductionFor(width, height, 448), reduced);
//   for (each row) reducer.Add(row);
#ifndef SIGHTLINE_MODEL_IMAGE_REDUCE_H_
#define SIGHTLINE_MODEL_IMAGE_REDUCE_H_

#include <cstdint>
#include <vector>

namespace sightline::image {

// The divisor, 1, 2, 4 or 8, that leaves both sides at least twice as long as they will be once the longest side is
// `wanted_side`. Twice, so that the final antialiased resize decides the quality, not this step. 1 for a wanted_side
// of 0.
int ReductionFor(int width, int height, int wanted_side);

// The side of an image reduced by `divisor`: rounded up, like JPEG's scaled decoding.
inline int ReducedSide(int side, int divisor) { return (side + divisor - 1) / divisor; }

// Averages blocks of divisor x divisor pixels; blocks cut by the right or bottom edge average what they have.
class RowReducer {
 public:
  // `reduced` has room for ReducedSide(width, divisor) x ReducedSide(height, divisor) RGB pixels, and outlives this.
  RowReducer(int width, int height, int divisor, uint8_t* reduced);

  // The next row: `width` RGB pixels. Exactly `height` rows must be added.
  void Add(const uint8_t* rgb);

 private:
  void Emit(int rows);

  const int width_;
  const int height_;
  const int divisor_;
  int added_ = 0;
  std::vector<uint32_t> sums_;  // of the blocks of the current row of blocks, 3 per block
  uint8_t* next_;               // of the reduced pixels
};

}  // namespace sightline::image

#endif  // SIGHTLINE_MODEL_IMAGE_REDUCE_H_
