// The values on disk: a format byte, fields in little-endian order, and a CRC-32C over both and the key.
//
// The key is part of the checksum, so a value that stands under another key is as damaged as one with a flipped bit.
// Nothing that is read is trusted: lengths are checked against the bytes there are before anything is allocated.
//
// Threading: an object belongs to one thread at a time. Ownership: a Decoder only looks at the value it was given.
// Failure: a Decoder remembers the first failure; reads after it give zeros, and Finish reports it.
//
//   Encoder encoder(kFormat);
//   encoder.U64(key);
//   std::string value = std::move(encoder).Seal(name);
//
//   SIGHTLINE_ASSIGN_OR_RETURN(Decoder decoder, Decoder::Open("id", name, value, kFormat));
//   const uint64_t key = decoder.U64();
//   SIGHTLINE_RETURN_IF_ERROR(decoder.Finish());
#ifndef SIGHTLINE_INDEX_STORE_CODEC_H_
#define SIGHTLINE_INDEX_STORE_CODEC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sightline::index {

class Encoder {
 public:
  explicit Encoder(uint8_t format) { U8(format); }

  void U8(uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void U16(uint16_t value);
  void U32(uint32_t value);
  void U64(uint64_t value);
  void I64(int64_t value) { U64(static_cast<uint64_t>(value)); }
  void F64(double value);
  void Text(absl::string_view value);           // length (32 bits), bytes
  void Raw(absl::string_view value);            // bytes
  void Floats(absl::Span<const float> values);  // no length
  void Halves(absl::Span<const float> values);  // as half precision, no length

  // The bytes so far, to be sealed later by SealValue.
  std::string Unsealed() && { return std::move(out_); }
  std::string Seal(absl::string_view key) &&;

 private:
  std::string out_;
};

// Appends the checksum of `key` and `value` to `value`.
void SealValue(absl::string_view key, std::string* value);

class Decoder {
 public:
  // `what` names the value in errors. DATA_LOSS when the checksum does not match, FAILED_PRECONDITION when it does and
  // the format is not `format`.
  static absl::StatusOr<Decoder> Open(absl::string_view what, absl::string_view key, absl::string_view value,
                                      uint8_t format) {
    return OpenAny(what, key, value, format, format);
  }
  // The same for a value of any format from `first` to `last`; format() tells which.
  static absl::StatusOr<Decoder> OpenAny(absl::string_view what, absl::string_view key, absl::string_view value,
                                         uint8_t first, uint8_t last);
  uint8_t format() const { return format_; }

  uint8_t U8();
  uint16_t U16();
  uint32_t U32();
  uint64_t U64();
  int64_t I64() { return static_cast<int64_t>(U64()); }
  double F64();
  std::string Text();
  std::string Raw(size_t size);
  std::vector<int8_t> Bytes(size_t size);
  std::vector<float> Floats(size_t count);
  std::vector<float> Halves(size_t count);
  size_t remaining() const { return left_.size(); }
  // Marks the value as damaged; nothing remains to be read.
  void Fail() {
    failed_ = true;
    left_ = {};
  }

  // OK when every read was in bounds and nothing is left.
  absl::Status Finish() const;

 private:
  Decoder(absl::string_view what, absl::string_view left, uint8_t format) : what_(what), left_(left), format_(format) {}
  // `size` bytes, or none after a failure.
  absl::string_view Take(size_t size);

  std::string what_;
  absl::string_view left_;
  uint8_t format_;
  bool failed_ = false;
};

// The error for a value that is not what was written.
absl::Status DamagedError(absl::string_view what, absl::string_view problem);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_STORE_CODEC_H_
