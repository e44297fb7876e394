#include "tests/model/image/make_jpeg.h"

// jpeglib.h needs size_t and FILE to be known.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
// clang-format off
#include <jpeglib.h>
// clang-format on

namespace sightline::image {
namespace {

J_COLOR_SPACE StoredSpace(JpegColour colour) {
  switch (colour) {
    case JpegColour::kYcc: return JCS_YCbCr;
    case JpegColour::kRgb: return JCS_RGB;
    case JpegColour::kGrey: return JCS_GRAYSCALE;
    case JpegColour::kCmyk: return JCS_CMYK;
    case JpegColour::kYcck: return JCS_YCCK;
  }
  return JCS_UNKNOWN;
}

J_COLOR_SPACE GivenSpace(JpegColour colour) {
  if (colour == JpegColour::kGrey) return JCS_GRAYSCALE;
  return colour == JpegColour::kCmyk || colour == JpegColour::kYcck ? JCS_CMYK : JCS_RGB;
}

// One row of the picture in the colours given to the library.
std::vector<uint8_t> Row(const Image& image, int y, const JpegOptions& options) {
  const uint8_t* rgb = &image.rgb[static_cast<size_t>(y) * image.width * 3];
  std::vector<uint8_t> row;
  for (int x = 0; x < image.width; ++x, rgb += 3) {
    switch (GivenSpace(options.colour)) {
      case JCS_GRAYSCALE: row.push_back(rgb[0]); break;
      case JCS_CMYK:
        for (int c = 0; c < 3; ++c) row.push_back(options.inverted_inks ? rgb[c] : 255 - rgb[c]);
        row.push_back(options.inverted_inks ? 255 : 0);
        break;
      default: row.insert(row.end(), rgb, rgb + 3);
    }
  }
  return row;
}

}  // namespace

std::string MakeJpeg(const Image& image, const JpegOptions& options) {
  jpeg_compress_struct encoder = {};
  jpeg_error_mgr error;
  encoder.err = jpeg_std_error(&error);
  jpeg_create_compress(&encoder);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&encoder, &bytes, &size);
  encoder.image_width = image.width;
  encoder.image_height = image.height;
  encoder.in_color_space = GivenSpace(options.colour);
  encoder.input_components = encoder.in_color_space == JCS_GRAYSCALE ? 1 : encoder.in_color_space == JCS_CMYK ? 4 : 3;
  jpeg_set_defaults(&encoder);
  jpeg_set_colorspace(&encoder, StoredSpace(options.colour));
  jpeg_set_quality(&encoder, options.quality, TRUE);
  // Full-size chroma keeps the comparison with the original tight.
  for (int c = 0; c < encoder.num_components; ++c) {
    encoder.comp_info[c].h_samp_factor = 1;
    encoder.comp_info[c].v_samp_factor = 1;
  }
  if (encoder.in_color_space == JCS_CMYK) encoder.write_Adobe_marker = options.inverted_inks;
  if (options.progressive) jpeg_simple_progression(&encoder);
  std::vector<jpeg_scan_info> scans(encoder.num_components);
  if (options.separate_scans) {
    for (int c = 0; c < encoder.num_components; ++c) scans[c] = {1, {c, 0, 0, 0}, 0, 63, 0, 0};
    encoder.scan_info = scans.data();
    encoder.num_scans = encoder.num_components;
  }
  encoder.restart_in_rows = options.restart_rows;
  jpeg_start_compress(&encoder, TRUE);
  for (const auto& [number, payload] : options.markers) {
    jpeg_write_marker(&encoder, number, reinterpret_cast<const JOCTET*>(payload.data()), payload.size());
  }
  for (int y = 0; y < image.height; ++y) {
    std::vector<uint8_t> row = Row(image, y, options);
    JSAMPROW rows[] = {row.data()};
    jpeg_write_scanlines(&encoder, rows, 1);
  }
  jpeg_finish_compress(&encoder);
  jpeg_destroy_compress(&encoder);
  const std::unique_ptr<unsigned char, void (*)(void*)> owner(bytes, std::free);
  return std::string(reinterpret_cast<const char*>(bytes), size);
}

std::string MakeJpegHeader(int width, int height) {
  std::string bytes = MakeJpeg({8, 8, std::vector<uint8_t>(8 * 8 * 3), 8, 8});
  // The frame header is FF C0, length (2), precision (1), height (2), width (2).
  const size_t frame = bytes.find("\xFF\xC0");
  bytes[frame + 5] = static_cast<char>(height >> 8);
  bytes[frame + 6] = static_cast<char>(height);
  bytes[frame + 7] = static_cast<char>(width >> 8);
  bytes[frame + 8] = static_cast<char>(width);
  return bytes;
}

}  // namespace sightline::image
