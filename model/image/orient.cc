#include "model/image/orient.h"

#include <cstddef>
#include <cstring>
#include <utility>

namespace sightline::image {

void CopyUpright(const uint8_t* stored, int width, int height, int orientation, uint8_t* upright) {
  const ptrdiff_t stride = static_cast<ptrdiff_t>(width) * 3;
  if (!Turns(orientation)) {
    std::memcpy(upright, stored, static_cast<size_t>(stride) * height);
    return;
  }
  // Where the result's first row comes from, by EXIF 2.32 section 4.6.4: the stored image is transposed for 5 to 8,
  // and its columns and rows are walked backwards as given here.
  const bool transposed = Transposes(orientation);
  const bool columns_backwards = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool rows_backwards = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const ptrdiff_t column = columns_backwards ? -3 : 3;
  const ptrdiff_t row = rows_backwards ? -stride : stride;
  const ptrdiff_t origin = (columns_backwards ? stride - 3 : 0) + (rows_backwards ? stride * (height - 1) : 0);
  const int upright_width = transposed ? height : width;
  const int upright_height = transposed ? width : height;
  const ptrdiff_t step_x = transposed ? row : column;
  const ptrdiff_t step_y = transposed ? column : row;
  for (int y = 0; y < upright_height; ++y) {
    const uint8_t* from = stored + origin + y * step_y;
    for (int x = 0; x < upright_width; ++x, upright += 3) std::memcpy(upright, from + x * step_x, 3);
  }
}

Image ApplyOrientation(Image image, int orientation) {
  if (!Turns(orientation)) return image;
  Image out;
  out.rgb.resize(image.rgb.size());
  CopyUpright(image.rgb.data(), image.width, image.height, orientation, out.rgb.data());
  out.width = Transposes(orientation) ? image.height : image.width;
  out.height = Transposes(orientation) ? image.width : image.height;
  out.original_width = Transposes(orientation) ? image.original_height : image.original_width;
  out.original_height = Transposes(orientation) ? image.original_width : image.original_height;
  return out;
}

}  // namespace sightline::image
