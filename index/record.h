// What a collection stores of one image.
#ifndef SIGHTLINE_INDEX_RECORD_H_
#define SIGHTLINE_INDEX_RECORD_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

namespace sightline::index {

using AttributeValue = std::variant<std::string, int64_t, double, bool, std::vector<std::string>>;
using Attributes = std::map<std::string, AttributeValue>;

// How the values of patch tokens are kept.
enum class TokenPrecision { kInt8, kFloat16, kFloat32 };

// Names tokens as a store holds them, for copies of them elsewhere: within this process, equal names are equal tokens.
// Whoever changes tokens takes their name off.
struct StoredName {
  uint64_t store = 0;  // 0: not from a store
  uint64_t key = 0;
  friend bool operator==(const StoredName&, const StoredName&) = default;
};

// A height x width grid of local features, row-major. In int8, token t is scales[t] * values[t * dim + i]; in float16
// and float32 it is floats[t * dim + i], of which float16 keeps what that type can hold.
struct PatchTokens {
  int height = 0;
  int width = 0;
  int dim = 0;
  std::vector<int8_t> values;     // height * width * dim in int8, else empty
  std::vector<float> scales;      // height * width in int8, else empty
  std::vector<float> importance;  // height * width, at least 0, sums to 1
  std::vector<float> centre;      // dim
  TokenPrecision precision = TokenPrecision::kInt8;
  std::vector<float> floats = {};  // height * width * dim in float16 and float32, else empty
  StoredName stored_as = {};

  int cells() const { return height * width; }
};

// What is kept of an image beside its descriptor.
enum class KeepImage { kNone, kPreview, kOriginal };

// The part of an image that was embedded, in pixels of the original or in fractions of its sides.
struct RecordCrop {
  bool in_pixels = false;
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  friend bool operator==(const RecordCrop&, const RecordCrop&) = default;
};

struct Record {
  std::string id;                 // 1 to 512 bytes of UTF-8 without control characters
  std::vector<float> descriptor;  // as many values as the collection's dimension, L2-normalised by the collection
  std::optional<PatchTokens> tokens;
  Attributes attributes;   // at most 64 keys, 8 KiB
  std::string source_uri;  // at most 2,048 bytes
  int64_t revision = 0;    // counts the writes to this id, from 1; set by the collection
  absl::Time create_time;  // set by the collection
  absl::Time update_time;  // set by the collection
  int width = 0;           // of the image after orientation; 0 when written from a descriptor
  int height = 0;
  std::string sha256;              // of the encoded image, lower-case hex; empty when written from a descriptor
  std::optional<RecordCrop> crop;  // empty for the whole image
  std::string image;               // the preview or original kept, encoded
  // Which of the two it is. To be written, unset: what the collection keeps.
  std::optional<KeepImage> image_kind;
  std::string image_mime_type;
};

// The limits on what a record may hold; the API publishes them.
struct RecordLimits {
  int max_id_bytes = 512;
  int max_attributes = 64;
  int max_attribute_bytes = 8 * 1024;
  int max_key_bytes = 64;
  int max_source_uri_bytes = 2048;
  int max_request_id_bytes = 128;
  int max_descriptor_dim = 8192;
  int max_token_cells = 1024;
  int max_token_dim = 1024;
  int64_t max_image_bytes = 16 * 1024 * 1024;  // of the preview or original kept
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_RECORD_H_
