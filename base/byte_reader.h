// ByteReader: little-endian numbers and runs of bytes from a buffer that may end too early. Nothing is read beyond its
// end: a read that does not fit gives nothing and leaves the position where it was.
//
// Threading: one thread at a time. Ownership: views the bytes it is given. Failure: std::nullopt.
//
//   ByteReader reader(bytes);
//   const std::optional<uint64_t> length = reader.Little(4);
//   const std::optional<absl::string_view> name = length ? reader.Take(*length) : std::nullopt;
#ifndef SIGHTLINE_BASE_BYTE_READER_H_
#define SIGHTLINE_BASE_BYTE_READER_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace sightline::base {

class ByteReader {
 public:
  explicit ByteReader(absl::string_view bytes, size_t position = 0) : bytes_(bytes), position_(position) {}

  size_t position() const { return position_; }
  size_t remaining() const { return position_ < bytes_.size() ? bytes_.size() - position_ : 0; }

  std::optional<absl::string_view> Take(uint64_t count) {
    if (count > remaining()) return std::nullopt;
    const absl::string_view taken = bytes_.substr(position_, count);
    position_ += count;
    return taken;
  }

  // An unsigned number of 1 to 8 bytes.
  std::optional<uint64_t> Little(size_t width) {
    const std::optional<absl::string_view> bytes = Take(width);
    if (!bytes) return std::nullopt;
    uint64_t number = 0;
    for (size_t i = 0; i < width; ++i) number |= uint64_t{static_cast<unsigned char>((*bytes)[i])} << (8 * i);
    return number;
  }

  // What stands before the next newline, which is passed.
  std::optional<absl::string_view> Line() {
    const size_t end = bytes_.find('\n', position_);
    if (end == absl::string_view::npos) return std::nullopt;
    const absl::string_view line = bytes_.substr(position_, end - position_);
    position_ = end + 1;
    return line;
  }

 private:
  absl::string_view bytes_;
  size_t position_;
};

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_BYTE_READER_H_
