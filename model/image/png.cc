#include "model/image/png.h"

#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/image/errors.h"
#include "model/image/exif.h"
#include "model/image/memory.h"
#include "model/image/over_white.h"
#include "model/image/reduce.h"

namespace sightline::image {
namespace {

constexpr size_t kSignatureSize = 8;
constexpr size_t kChunkFrame = 12;  // length, type and CRC

uint32_t Big32(absl::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

// What the library calls back: errors jump out to the last Guard().
struct PngHooks {
  absl::string_view rest;  // of the encoded bytes
  std::jmp_buf jump;
  bool ran_out = false;
  char message[128] = {};
};

[[noreturn]] void OnError(png_structp png, png_const_charp message) {
  PngHooks* hooks = static_cast<PngHooks*>(png_get_error_ptr(png));
  std::strncpy(hooks->message, message, sizeof(hooks->message) - 1);
  std::longjmp(hooks->jump, 1);
}

// Warnings concern chunks that do not touch the pixels.
void OnWarning(png_structp, png_const_charp) {}

void OnRead(png_structp png, png_bytep target, size_t size) {
  PngHooks* hooks = static_cast<PngHooks*>(png_get_io_ptr(png));
  if (size > hooks->rest.size()) {
    hooks->ran_out = true;
    png_error(png, "data ends");
  }
  std::memcpy(target, hooks->rest.data(), size);
  hooks->rest.remove_prefix(size);
}

// The library's reader with its hooks; what jumps out of it becomes a Status.
class Reader {
 public:
  explicit Reader(absl::string_view encoded)
      : png_(png_create_read_struct(PNG_LIBPNG_VER_STRING, &hooks_, OnError, OnWarning)),
        info_(png_ != nullptr ? png_create_info_struct(png_) : nullptr) {
    hooks_.rest = encoded;
  }
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  absl::Status Decode(const Header& header, int divisor, uint8_t* pixels) {
    if (info_ == nullptr) return OutOfMemory(Format::kPng, header.width, header.height);
    SIGHTLINE_RETURN_IF_ERROR(Start(header));
    return png_get_interlace_type(png_, info_) == PNG_INTERLACE_NONE ? DecodeRows(header, divisor, pixels)
                                                                     : DecodeWhole(header, divisor, pixels);
  }

 private:
  // Runs `body`, which calls the library and owns nothing, so that jumping out of it skips no destructor.
  template <typename Body>
  bool Guard(const Body& body) {
    static_assert(std::is_trivially_destructible_v<Body>);
    if (setjmp(hooks_.jump) != 0) return false;
    body();
    return true;
  }

  absl::Status Failure() const {
    if (hooks_.ran_out) return Truncated(Format::kPng, "its last chunk is cut");
    return Corrupt(Format::kPng, hooks_.message);
  }

  // Reads the chunks before the pixels and asks for 8-bit RGB or RGBA.
  absl::Status Start(const Header& header) {
    const size_t encoded_size = hooks_.rest.size();
    const bool done = Guard([this, &header, encoded_size] {
      png_set_read_fn(png_, &hooks_, OnRead);
      png_set_user_limits(png_, header.width, header.height);
      // Text, profiles and the like are skipped without being inflated, which leaves their size to the file's own.
      png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
      png_set_chunk_cache_max(png_, 1);
      png_set_chunk_malloc_max(png_, encoded_size);
      png_read_info(png_, info_);
      png_set_expand(png_);
      png_set_scale_16(png_);
      png_set_gray_to_rgb(png_);
      png_set_interlace_handling(png_);
      png_read_update_info(png_, info_);
    });
    if (!done) return Failure();
    const bool same = png_get_image_width(png_, info_) == static_cast<uint32_t>(header.width) &&
                      png_get_image_height(png_, info_) == static_cast<uint32_t>(header.height);
    if (!same) return Corrupt(Format::kPng, "it names two sizes");
    channels_ = png_get_channels(png_, info_);
    if (png_get_bit_depth(png_, info_) != 8 || (channels_ != 3 && channels_ != 4)) {
      return Corrupt(Format::kPng, "its colours cannot be converted to RGB");
    }
    return absl::OkStatus();
  }

  absl::Status DecodeRows(const Header& header, int divisor, uint8_t* reduced) {
    RowReducer reducer(header.width, header.height, divisor, reduced);
    std::vector<uint8_t> row(static_cast<size_t>(header.width) * channels_);
    for (int y = 0; y < header.height; ++y) {
      if (!Guard([this, &row] { png_read_row(png_, row.data(), nullptr); })) return Failure();
      if (channels_ == 4) OverWhite(row.data(), header.width, row.data());
      reducer.Add(row.data());
    }
    return End();
  }

  // The seven passes of an interlaced file each touch rows all over the image.
  absl::Status DecodeWhole(const Header& header, int divisor, uint8_t* reduced) {
    const size_t stride = static_cast<size_t>(header.width) * channels_;
    std::vector<uint8_t> pixels(stride * header.height);
    std::vector<uint8_t*> rows(header.height);
    for (int y = 0; y < header.height; ++y) rows[y] = &pixels[stride * y];
    if (!Guard([this, &rows] { png_read_image(png_, rows.data()); })) return Failure();
    SIGHTLINE_RETURN_IF_ERROR(End());
    RowReducer reducer(header.width, header.height, divisor, reduced);
    for (uint8_t* row : rows) {
      if (channels_ == 4) OverWhite(row, header.width, row);
      reducer.Add(row);
    }
    return absl::OkStatus();
  }

  // Reads to the end, which checks the sum of the last block of pixels.
  absl::Status End() {
    return Guard([this] { png_read_end(png_, nullptr); }) ? absl::OkStatus() : Failure();
  }

  PngHooks hooks_;
  png_structp png_;
  png_infop info_;
  int channels_ = 0;
};

}  // namespace

absl::StatusOr<Header> ReadPngHeader(absl::string_view encoded) {
  Header header;
  header.format = Format::kPng;
  bool first = true;
  bool interlaced = false;
  bool alpha = false;
  size_t at = kSignatureSize;
  while (true) {
    if (encoded.size() < at + kChunkFrame) return Truncated(Format::kPng, "it has no end chunk");
    const uint32_t length = Big32(encoded, at);
    const absl::string_view type = encoded.substr(at + 4, 4);
    if (length > encoded.size() - at - kChunkFrame) {
      return Truncated(Format::kPng, absl::StrCat("a chunk names ", length, " bytes, ",
                                                  encoded.size() - at - kChunkFrame, " are left"));
    }
    const absl::string_view data = encoded.substr(at + 8, length);
    if (first) {
      if (type != "IHDR" || length != 13) return Corrupt(Format::kPng, "it does not start with a header chunk");
      const uint32_t width = Big32(data, 0);
      const uint32_t height = Big32(data, 4);
      if (width > PNG_UINT_31_MAX || height > PNG_UINT_31_MAX) return Corrupt(Format::kPng, "its size is negative");
      header.width = static_cast<int>(width);
      header.height = static_cast<int>(height);
      alpha = (static_cast<uint8_t>(data[9]) & PNG_COLOR_MASK_ALPHA) != 0;
      interlaced = data[12] != 0;
    } else if (type == "acTL" && length == 8 && Big32(data, 0) > 1) {
      return Animated(Format::kPng, Big32(data, 0));
    } else if (type == "tRNS") {
      alpha = true;
    } else if (type == "eXIf") {
      header.orientation = ExifOrientation(data);
    } else if (type == "IEND") {
      if (interlaced) {
        // Sides that no limit has been put to yet: all the bytes of an image may be more than a number holds.
        const int64_t channels = alpha ? 4 : 3;
        const int64_t pixels = int64_t{header.width} * header.height;
        header.work_bytes = std::min(pixels, std::numeric_limits<int64_t>::max() / channels) * channels;
      }
      return header;
    }
    first = false;
    at += kChunkFrame + length;
  }
}

absl::Status DecodePng(absl::string_view encoded, const Header& header, int wanted_side, AllocatePixels allocate) {
  uint8_t* const pixels = allocate(OutputBytes(header, wanted_side));
  return Reader(encoded).Decode(header, ReductionFor(header.width, header.height, wanted_side), pixels);
}

}  // namespace sightline::image
