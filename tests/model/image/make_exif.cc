#include "tests/model/image/make_exif.h"

#include <cstdint>

namespace sightline::image {
namespace {

void Put(std::string* out, uint32_t value, int bytes, bool little) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> 8 * (little ? i : bytes - 1 - i)));
}

void PutEntry(std::string* out, uint32_t tag, uint32_t value, bool little) {
  Put(out, tag, 2, little);
  Put(out, 3, 2, little);  // SHORT
  Put(out, 1, 4, little);
  Put(out, value, 2, little);
  Put(out, 0, 2, little);
}

}  // namespace

std::string MakeTiff(int orientation, bool little_endian, int padding) {
  std::string out = little_endian ? std::string("II*\0", 4) : std::string("MM\0*", 4);
  Put(&out, 8, 4, little_endian);
  Put(&out, padding + 1, 2, little_endian);
  for (int i = 0; i < padding; ++i) PutEntry(&out, 0x0100, 7, little_endian);
  PutEntry(&out, 0x0112, orientation, little_endian);
  Put(&out, 0, 4, little_endian);
  return out;
}

std::string MakeExif(int orientation, bool little_endian, int padding) {
  return std::string("Exif\0\0", 6) + MakeTiff(orientation, little_endian, padding);
}

}  // namespace sightline::image
