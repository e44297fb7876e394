#include "model/image/encode.h"

#include <turbojpeg.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::image {
namespace {

// JPEG stores sides in 16 bits; libjpeg keeps some in reserve.
constexpr int kMaxSide = 65500;

absl::Status CheckArguments(const Image& image, int quality) {
  const bool sized = image.width >= 1 && image.height >= 1 && image.width <= kMaxSide && image.height <= kMaxSide;
  if (!sized || image.rgb.size() != static_cast<size_t>(image.width) * image.height * 3) {
    return base::InvalidArgument("IMAGE_SIZE_INVALID",
                                 absl::StrCat("image to encode is ", image.width, "x", image.height, " with ",
                                              image.rgb.size(), " bytes of pixels; a JPEG has 1 to ", kMaxSide,
                                              " pixels a side. Give width * height * 3 bytes within that size."));
  }
  if (quality < 1 || quality > 100) {
    return base::InvalidArgument("QUALITY_OUT_OF_RANGE",
                                 absl::StrCat("JPEG quality is ", quality, "; it must be 1 to 100. Give such a value."),
                                 {{"limit", "100"}, {"actual", absl::StrCat(quality)}});
  }
  return absl::OkStatus();
}

struct Free {
  void operator()(unsigned char* bytes) const { tjFree(bytes); }
};

}  // namespace

absl::StatusOr<std::string> EncodeJpeg(const Image& image, int quality) {
  SIGHTLINE_RETURN_IF_ERROR(CheckArguments(image, quality));
  const std::unique_ptr<void, int (*)(tjhandle)> compressor(tjInitCompress(), tjDestroy);
  unsigned char* allocated = nullptr;
  unsigned long size = 0;  // the library's type
  const int failed =
      compressor == nullptr || tjCompress2(compressor.get(), image.rgb.data(), image.width, 0, image.height, TJPF_RGB,
                                           &allocated, &size, TJSAMP_420, quality, TJFLAG_ACCURATEDCT) != 0;
  const std::unique_ptr<unsigned char, Free> bytes(allocated);
  if (failed) {
    return base::Error(absl::StatusCode::kInternal, "IMAGE_ENCODE_FAILED",
                       absl::StrCat("JPEG of ", image.width, "x", image.height, " could not be encoded: ",
                                    tjGetErrorStr2(compressor.get()), ". Free some memory and try again."));
  }
  return std::string(reinterpret_cast<const char*>(bytes.get()), size);
}

}  // namespace sightline::image
