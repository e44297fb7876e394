#include "model/image/orient.h"

#include <cstddef>
#include <cstring>
#include <utility>

namespace sightline::image {

Image ApplyOrientation(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  // Where the result's first row comes from, by EXIF 2.32 section 4.6.4: the stored image is transposed for 5 to 8,
  // and its columns and rows are walked backwards as given here.
  const bool transposed = orientation >= 5;
  const bool columns_backwards = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool rows_backwards = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const ptrdiff_t column = columns_backwards ? -3 : 3;
  const ptrdiff_t stride = static_cast<ptrdiff_t>(image.width) * 3;
  const ptrdiff_t row = rows_backwards ? -stride : stride;
  const ptrdiff_t origin = (columns_backwards ? stride - 3 : 0) + (rows_backwards ? stride * (image.height - 1) : 0);
  Image out;
  out.width = transposed ? image.height : image.width;
  out.height = transposed ? image.width : image.height;
  out.original_width = transposed ? image.original_height : image.original_width;
  out.original_height = transposed ? image.original_width : image.original_height;
  out.rgb.resize(image.rgb.size());
  const ptrdiff_t step_x = transposed ? row : column;
  const ptrdiff_t step_y = transposed ? column : row;
  uint8_t* to = out.rgb.data();
  for (int y = 0; y < out.height; ++y) {
    const uint8_t* from = image.rgb.data() + origin + y * step_y;
    for (int x = 0; x < out.width; ++x, to += 3) std::memcpy(to, from + x * step_x, 3);
  }
  return out;
}

}  // namespace sightline::image
