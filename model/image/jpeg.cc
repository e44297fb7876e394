#include "model/image/jpeg.h"

// jpeglib.h needs size_t and FILE to be known.
#include <cstddef>
#include <cstdio>
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <algorithm>
#include <csetjmp>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/image/errors.h"
#include "model/image/memory.h"
#include "model/image/reduce.h"

namespace sightline::image {
namespace {

// Cameras and optimisers write about 10 scans. Each scan walks the whole image, so a small file with thousands of empty
// ones would take minutes: large images may have fewer of them.
constexpr int64_t kMaxScans = 100;
constexpr int64_t kMinScans = 20;
constexpr int64_t kScannedPixels = 1'000'000'000;
constexpr int kScansExceeded = -1;  // beside the library's codes, which are positive

// What the library calls back: errors jump out to the last Guard(), everything else is plain C.
struct JpegHooks {
  jpeg_error_mgr error = {};  // first, so that a pointer to it is one to JpegHooks
  jpeg_source_mgr source = {};
  jpeg_progress_mgr progress = {};
  std::jmp_buf jump;
  bool ran_out = false;  // the data ended before the image did
  int code = 0;
  char message[JMSG_LENGTH_MAX] = {};
};
static_assert(std::is_standard_layout_v<JpegHooks>);

JpegHooks* HooksOf(j_common_ptr common) { return reinterpret_cast<JpegHooks*>(common->err); }

[[noreturn]] void JumpOut(j_common_ptr common) {
  JpegHooks* hooks = HooksOf(common);
  hooks->code = common->err->msg_code;
  common->err->format_message(common, hooks->message);
  std::longjmp(hooks->jump, 1);
}

// Damage of the coded data would show as grey or shifted blocks: refused. The other warnings (bytes between markers,
// an odd order of scans, version numbers) leave the pixels right.
bool SpoilsPixels(int warning) {
  switch (warning) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_JPEG_EOF: return true;
    default: return false;
  }
}

void OnMessage(j_common_ptr common, int level) {
  if (level < 0 && SpoilsPixels(common->err->msg_code)) JumpOut(common);
}

// Whoever looks past the end finds an end marker. A file that lacks only that is whole; where more is missing, the
// decoder warns, and OnMessage ends it.
boolean OnOutOfData(j_decompress_ptr decoder) {
  static constexpr JOCTET kEnd[] = {0xFF, JPEG_EOI};
  HooksOf(reinterpret_cast<j_common_ptr>(decoder))->ran_out = true;
  decoder->src->next_input_byte = kEnd;
  decoder->src->bytes_in_buffer = sizeof(kEnd);
  return TRUE;
}

void OnSkip(j_decompress_ptr decoder, long count) {  // the library's type
  if (count <= 0) return;
  jpeg_source_mgr* source = decoder->src;
  if (static_cast<size_t>(count) > source->bytes_in_buffer) {
    OnOutOfData(decoder);
    return;
  }
  source->next_input_byte += count;
  source->bytes_in_buffer -= count;
}

int ScanLimit(int64_t width, int64_t height) {
  return static_cast<int>(std::clamp(kScannedPixels / (width * height), kMinScans, kMaxScans));
}

void OnProgress(j_common_ptr common) {
  const j_decompress_ptr decoder = reinterpret_cast<j_decompress_ptr>(common);
  if (decoder->input_scan_number <= ScanLimit(decoder->image_width, decoder->image_height)) return;
  JpegHooks* hooks = HooksOf(common);
  hooks->code = kScansExceeded;
  std::longjmp(hooks->jump, 1);
}

void Ignore(j_decompress_ptr) {}

// The library's decompressor with its hooks; what jumps out of it becomes a Status.
class Decompressor {
 public:
  explicit Decompressor(absl::string_view encoded) : encoded_(encoded) {
    decoder_.err = jpeg_std_error(&hooks_.error);
    hooks_.error.error_exit = JumpOut;
    hooks_.error.emit_message = OnMessage;
    hooks_.source.init_source = Ignore;
    hooks_.source.fill_input_buffer = OnOutOfData;
    hooks_.source.skip_input_data = OnSkip;
    hooks_.source.resync_to_restart = jpeg_resync_to_restart;
    hooks_.source.term_source = Ignore;
    hooks_.source.next_input_byte = reinterpret_cast<const JOCTET*>(encoded.data());
    hooks_.source.bytes_in_buffer = encoded.size();
    hooks_.progress.progress_monitor = OnProgress;
  }
  ~Decompressor() { jpeg_destroy_decompress(&decoder_); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  // Reads up to the first scan; the size must be the one that the limits were checked on.
  absl::Status Start(const Header& header) {
    const bool done = Guard([this] {
      jpeg_create_decompress(&decoder_);
      decoder_.src = &hooks_.source;
      decoder_.progress = &hooks_.progress;
      jpeg_read_header(&decoder_, TRUE);
    });
    if (!done) return Failure();
    if (decoder_.image_width != static_cast<JDIMENSION>(header.width) ||
        decoder_.image_height != static_cast<JDIMENSION>(header.height)) {
      return Corrupt(Format::kJpeg, "it names two sizes");
    }
    return absl::OkStatus();
  }

  absl::Status Decode(int width, int height, int divisor, AllocatePixels allocate) {
    const size_t stride = size_t{3} * width;
    uint8_t* const pixels = allocate(stride * height);
    const bool inks = decoder_.jpeg_color_space == JCS_CMYK || decoder_.jpeg_color_space == JCS_YCCK;
    std::vector<uint8_t> cmyk(inks ? static_cast<size_t>(width) * 4 : 0);
    bool as_promised = false;
    const bool done = Guard([this, width, height, divisor, inks, stride, pixels, &as_promised, &cmyk] {
      // A second line behind CheckMemory: the library's own account of what it holds.
      decoder_.mem->max_memory_to_use = MemoryLimit(int64_t{decoder_.image_width} * decoder_.image_height);
      decoder_.scale_num = 1;
      decoder_.scale_denom = divisor;
      decoder_.out_color_space = inks ? JCS_CMYK : JCS_RGB;
      jpeg_start_decompress(&decoder_);
      as_promised = decoder_.output_width == static_cast<JDIMENSION>(width) &&
                    decoder_.output_height == static_cast<JDIMENSION>(height);
      if (!as_promised) return;
      while (decoder_.output_scanline < decoder_.output_height) {
        uint8_t* row = pixels + stride * decoder_.output_scanline;
        JSAMPROW target = inks ? cmyk.data() : row;
        jpeg_read_scanlines(&decoder_, &target, 1);
        if (inks) FromInks(cmyk, row);
      }
    });
    if (!done) return Failure();
    if (!as_promised) return Corrupt(Format::kJpeg, "it cannot be reduced");
    // With several scans the rows come out whatever scans are missing; without, a lack would have been noticed.
    if (hooks_.ran_out && jpeg_has_multiple_scans(&decoder_)) return Truncated(Format::kJpeg, "its last scan is cut");
    return absl::OkStatus();
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

  // Adobe writes inks inverted (255 is none), other programs as they are.
  void FromInks(const std::vector<uint8_t>& cmyk, uint8_t* rgb) const {
    const bool inverted = decoder_.saw_Adobe_marker;
    for (size_t i = 0, pixel = 0; i < cmyk.size(); i += 4, ++pixel) {
      const uint32_t light = inverted ? cmyk[i + 3] : 255 - cmyk[i + 3];
      for (size_t c = 0; c < 3; ++c) {
        const uint32_t colour = inverted ? cmyk[i + c] : 255 - cmyk[i + c];
        rgb[3 * pixel + c] = static_cast<uint8_t>((colour * light + 127) / 255);
      }
    }
  }

  absl::Status Failure() const {
    const std::string detail = hooks_.message;
    switch (hooks_.code) {
      case kScansExceeded:
        return Corrupt(Format::kJpeg,
                       absl::StrCat("it has more than ", ScanLimit(decoder_.image_width, decoder_.image_height),
                                    " scans, the limit for its size"));
      case JERR_OUT_OF_MEMORY:
      case JERR_NO_BACKING_STORE: return OutOfMemory(Format::kJpeg, decoder_.image_width, decoder_.image_height);
      case JERR_SOF_UNSUPPORTED:
      case JERR_BAD_PRECISION:
      case JERR_CONVERSION_NOTIMPL:
      case JERR_ARITH_NOTIMPL: return UnsupportedVariant(Format::kJpeg, detail);
      default: break;
    }
    if (hooks_.ran_out) return Truncated(Format::kJpeg, absl::StrCat("it has only ", encoded_.size(), " bytes"));
    return Corrupt(Format::kJpeg, detail);
  }

  const absl::string_view encoded_;
  jpeg_decompress_struct decoder_ = {};
  JpegHooks hooks_;
};

}  // namespace

absl::Status DecodeJpeg(absl::string_view encoded, const Header& header, int wanted_side, AllocatePixels allocate) {
  Decompressor decompressor(encoded);
  SIGHTLINE_RETURN_IF_ERROR(decompressor.Start(header));
  const PixelSize size = ReducedSize(header, wanted_side);
  return decompressor.Decode(size.width, size.height, ReductionFor(header.width, header.height, wanted_side), allocate);
}

}  // namespace sightline::image
