#include "server/rpc/guarded_message.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::server {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// As deep as protobuf's own parser goes.
constexpr int kDeepest = 100;

absl::Status Malformed(const Descriptor* type) {
  return base::InvalidArgument(
      "MESSAGE_MALFORMED", absl::StrCat("the request is no ", type->name(),
                                        ": its bytes end in the middle of a field, or are no fields. Send a message "
                                        "made by protobuf, of this version of the API."));
}

class FieldCounter {
 public:
  FieldCounter(CodedInputStream* in, int most_fields) : in_(in), most_(most_fields) {}

  // Up to the end of the input, or of the limit that is pushed.
  absl::Status Count(const Descriptor* type, int depth = 0) {
    if (depth == kDeepest) return Malformed(type);
    while (const uint32_t tag = in_->ReadTag()) {
      if (++fields_ > most_) return TooMany();
      if (const absl::Status status = Skip(type, tag, depth); !status.ok()) return status;
    }
    return in_->ConsumedEntireMessage() ? absl::OkStatus() : Malformed(type);
  }

 private:
  absl::Status Skip(const Descriptor* type, uint32_t tag, int depth) {
    uint64_t number = 0;
    uint32_t length = 0;
    switch (WireFormatLite::GetTagWireType(tag)) {
      case WireFormatLite::WIRETYPE_VARINT: return in_->ReadVarint64(&number) ? absl::OkStatus() : Malformed(type);
      case WireFormatLite::WIRETYPE_FIXED64: return in_->Skip(8) ? absl::OkStatus() : Malformed(type);
      case WireFormatLite::WIRETYPE_FIXED32: return in_->Skip(4) ? absl::OkStatus() : Malformed(type);
      case WireFormatLite::WIRETYPE_LENGTH_DELIMITED:
        if (!in_->ReadVarint32(&length) || length > INT32_MAX) return Malformed(type);
        return SkipLength(type->FindFieldByNumber(WireFormatLite::GetTagFieldNumber(tag)), type,
                          static_cast<int>(length), depth);
      // The API has no groups, and protobuf would keep each as a message of unknown fields.
      case WireFormatLite::WIRETYPE_START_GROUP:
      case WireFormatLite::WIRETYPE_END_GROUP: break;
    }
    return Malformed(type);
  }

  absl::Status SkipLength(const FieldDescriptor* field, const Descriptor* type, int length, int depth) {
    if (field == nullptr || field->type() != FieldDescriptor::TYPE_MESSAGE) {
      if (field != nullptr && field->is_packable()) fields_ += Grown(*field, length);
      if (fields_ > most_) return TooMany();
      return in_->Skip(length) ? absl::OkStatus() : Malformed(type);
    }
    const CodedInputStream::Limit limit = in_->PushLimit(length);
    if (const absl::Status status = Count(field->message_type(), depth + 1); !status.ok()) return status;
    // Less was there than the length says.
    if (in_->BytesUntilLimit() > 0) return Malformed(type);
    in_->PopLimit(limit);
    return absl::OkStatus();
  }

  // Packed numbers of variable length take up to eight times their bytes; as fields, what eight bytes take.
  static int Grown(const FieldDescriptor& field, int length) {
    switch (field.type()) {
      case FieldDescriptor::TYPE_FLOAT:
      case FieldDescriptor::TYPE_DOUBLE:
      case FieldDescriptor::TYPE_FIXED32:
      case FieldDescriptor::TYPE_FIXED64:
      case FieldDescriptor::TYPE_SFIXED32:
      case FieldDescriptor::TYPE_SFIXED64: return 0;
      default: return length / 8;
    }
  }

  absl::Status TooMany() const {
    return base::InvalidArgument(
        "MESSAGE_TOO_MANY_FIELDS",
        absl::StrCat("the request has more than ", most_, " fields, the limit. Send several smaller requests."),
        {{"limit", absl::StrCat(most_)}});
  }

  CodedInputStream* const in_;
  const int most_;
  int fields_ = 0;
};

}  // namespace

absl::Status CheckFields(google::protobuf::io::ZeroCopyInputStream* bytes, const Descriptor* type, int most_fields) {
  CodedInputStream in(bytes);
  return FieldCounter(&in, most_fields).Count(type);
}

absl::Status ReadGuarded(grpc::ByteBuffer* bytes, google::protobuf::Message* message) {
  absl::Status status;
  {
    grpc::ProtoBufferReader reader(bytes);
    status =
        reader.status().ok() ? CheckFields(&reader, message->GetDescriptor()) : Malformed(message->GetDescriptor());
  }
  if (status.ok()) {
    grpc::ProtoBufferReader reader(bytes);
    // What only the whole parser sees: text that is not UTF-8.
    if (!message->ParseFromZeroCopyStream(&reader)) {
      message->Clear();
      status = Malformed(message->GetDescriptor());
    }
  }
  bytes->Clear();
  return status;
}

absl::Status MessageMissing() {
  return base::InvalidArgument("MESSAGE_MISSING",
                               "the call ended before its message had come. Send one message, then end the call.");
}

}  // namespace sightline::server
