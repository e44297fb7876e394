#include "tests/model/image/make_png.h"

#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sightline::image {
namespace {

std::string Big(uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
  return out;
}

// Feeds `next` blocks to zlib until it gives an empty one.
template <typename Next>
std::string DeflateBlocks(Next next) {
  z_stream stream = {};
  deflateInit(&stream, Z_BEST_COMPRESSION);
  std::string out;
  std::vector<char> buffer(1 << 16);
  bool last = false;
  while (!last) {
    const absl::string_view block = next();
    last = block.empty();
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(block.data()));
    stream.avail_in = static_cast<uInt>(block.size());
    do {
      stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream.avail_out = static_cast<uInt>(buffer.size());
      deflate(&stream, last ? Z_FINISH : Z_NO_FLUSH);
      out.append(buffer.data(), buffer.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  }
  deflateEnd(&stream);
  return out;
}

void Append(png_structp png, png_bytep bytes, size_t size) {
  static_cast<std::string*>(png_get_io_ptr(png))->append(reinterpret_cast<char*>(bytes), size);
}

}  // namespace

std::string PngSignature() { return "\x89PNG\r\n\x1A\n"; }

std::string PngChunk(absl::string_view type, absl::string_view data) {
  const std::string summed = absl::StrCat(type, data);
  const uLong sum = crc32(0, reinterpret_cast<const Bytef*>(summed.data()), static_cast<uInt>(summed.size()));
  return absl::StrCat(Big(static_cast<uint32_t>(data.size())), summed, Big(static_cast<uint32_t>(sum)));
}

std::string PngHeaderChunk(const PngHeader& header) {
  std::string data = absl::StrCat(Big(header.width), Big(header.height));
  for (int value : {header.bits, static_cast<int>(header.colour), 0, 0, header.interlaced ? 1 : 0}) {
    data.push_back(static_cast<char>(value));
  }
  return PngChunk("IHDR", data);
}

std::string Deflate(absl::string_view data) {
  return DeflateBlocks([&data] {
    const absl::string_view block = data;
    data = {};
    return block;
  });
}

std::string DeflateZeros(uint64_t size) {
  const std::string zeros(1 << 20, '\0');
  return DeflateBlocks([&] {
    const absl::string_view block = absl::string_view(zeros).substr(0, std::min<uint64_t>(size, zeros.size()));
    size -= block.size();
    return block;
  });
}

std::string AssemblePng(const PngHeader& header, absl::string_view rows, absl::string_view before,
                        absl::string_view after) {
  return absl::StrCat(PngSignature(), PngHeaderChunk(header), before, PngChunk("IDAT", Deflate(rows)), after,
                      PngChunk("IEND", ""));
}

std::string MakePng(const Image& image, bool interlaced, absl::string_view exif_tiff) {
  std::string out;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &out, Append, nullptr);
  png_set_IHDR(png, info, image.width, image.height, 8, PNG_COLOR_TYPE_RGB,
               interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  std::vector<uint8_t*> rows;
  for (int y = 0; y < image.height; ++y) {
    rows.push_back(const_cast<uint8_t*>(&image.rgb[static_cast<size_t>(y) * image.width * 3]));
  }
  png_set_rows(png, info, rows.data());
  png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  png_destroy_write_struct(&png, &info);
  constexpr size_t kBehindHeader = 8 + 25;
  if (!exif_tiff.empty()) out.insert(kBehindHeader, PngChunk("eXIf", exif_tiff));
  return out;
}

std::string MakePngBomb(uint32_t width, uint32_t height) {
  const PngHeader header{.width = width, .height = height, .bits = 1, .colour = kPngGrey};
  const uint64_t row = (uint64_t{width} + 7) / 8 + 1;
  return absl::StrCat(PngSignature(), PngHeaderChunk(header), PngChunk("IDAT", DeflateZeros(row * height)),
                      PngChunk("IEND", ""));
}

}  // namespace sightline::image
