#include "server/http/field_path.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/log.h"
#include "base/status.h"
#include "server/http/uri.h"

namespace sightline::server {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kMaxDepth = 16;
constexpr size_t kShownField = 80;

absl::Status FieldError(absl::string_view reason, absl::string_view path, absl::string_view what) {
  return base::InvalidArgument(reason, absl::StrCat("'", path.substr(0, kShownField), "' ", what),
                               {{"field", std::string(path.substr(0, kShownField))}});
}

struct Step {
  std::string name;
  std::optional<int> index;
};

absl::StatusOr<std::vector<Step>> ParsePath(absl::string_view path) {
  std::vector<Step> steps;
  for (absl::string_view word : absl::StrSplit(path, '.')) {
    Step step;
    if (const size_t bracket = word.find('['); bracket != absl::string_view::npos) {
      absl::string_view digits = word.substr(bracket + 1);
      int index = 0;
      if (digits.empty() || digits.back() != ']' || !absl::SimpleAtoi(digits.substr(0, digits.size() - 1), &index) ||
          index < 0) {
        return FieldError("FIELD_MALFORMED", path, "is no path of a field. Write it like query.parts[0].image.");
      }
      step.index = index;
      word = word.substr(0, bracket);
    }
    step.name = std::string(word);
    steps.push_back(std::move(step));
    if (steps.size() > kMaxDepth) {
      return FieldError("FIELD_MALFORMED", path, absl::StrCat("is deeper than ", kMaxDepth, " fields. Shorten it."));
    }
  }
  return steps;
}

const FieldDescriptor* FindField(const Message& message, const std::string& name) {
  const auto* descriptor = message.GetDescriptor();
  if (const auto* field = descriptor->FindFieldByName(name); field != nullptr) return field;
  for (int i = 0; i < descriptor->field_count(); ++i) {
    if (descriptor->field(i)->json_name() == name) return descriptor->field(i);
  }
  return nullptr;
}

struct Target {
  Message* message;
  const FieldDescriptor* field;
};

// Walks to the message that holds the last field of the path, making what is missing on the way.
absl::StatusOr<Target> Walk(absl::string_view path, Message* message) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Step> steps, ParsePath(path));
  for (size_t i = 0;; ++i) {
    const Step& step = steps[i];
    const FieldDescriptor* field = FindField(*message, step.name);
    if (field == nullptr || field->is_map()) {
      return FieldError("FIELD_UNKNOWN", path,
                        absl::StrCat("is no field of ", message->GetDescriptor()->name(),
                                     " that can be set so. GET /v1/openapi.json names its fields."));
    }
    const Reflection& reflection = *message->GetReflection();
    if (const auto* oneof = field->real_containing_oneof(); oneof != nullptr) {
      const FieldDescriptor* set = reflection.GetOneofFieldDescriptor(*message, oneof);
      if (set != nullptr && set != field) {
        return FieldError("FIELD_CONFLICT", path,
                          absl::StrCat("and '", set->name(), "' exclude each other. Send one."));
      }
    }
    if (i + 1 == steps.size()) {
      if (step.index.has_value()) {
        return FieldError("FIELD_MALFORMED", path, "ends in an index. Repeat the field's plain name for a list.");
      }
      return Target{message, field};
    }
    if (field->message_type() == nullptr) {
      return FieldError("FIELD_UNKNOWN", path,
                        absl::StrCat("goes through '", step.name, "', which has no fields. Correct the path."));
    }
    if (field->is_repeated() != step.index.has_value()) {
      return FieldError("FIELD_MALFORMED", path,
                        field->is_repeated() ? absl::StrCat("needs an index: ", step.name, "[0]. Add it.")
                                             : absl::StrCat("has an index at '", step.name,
                                                            "', which is no list. "
                                                            "Remove it."));
    }
    if (!field->is_repeated()) {
      message = reflection.MutableMessage(message, field);
      continue;
    }
    const int size = reflection.FieldSize(*message, field);
    if (*step.index > size) {
      return FieldError("FIELD_MALFORMED", path,
                        absl::StrCat("is beyond the list, which has ", size, " entries. Count from 0, in order."));
    }
    message = *step.index == size ? reflection.AddMessage(message, field)
                                  : reflection.MutableRepeatedMessage(message, field, *step.index);
  }
}

absl::Status CheckUnset(absl::string_view path, const Target& target) {
  if (target.field->is_repeated() || !target.message->GetReflection()->HasField(*target.message, target.field)) {
    return absl::OkStatus();
  }
  return FieldError("FIELD_TWICE", path, "is given twice. Send it once.");
}

// One value, set or added.
template <typename Value, typename Set, typename Add>
void Put(const Target& target, Value value, Set set, Add add) {
  const Reflection& reflection = *target.message->GetReflection();
  if (target.field->is_repeated()) {
    (reflection.*add)(target.message, target.field, std::move(value));
  } else {
    (reflection.*set)(target.message, target.field, std::move(value));
  }
}

template <typename Value, typename Set, typename Add>
bool PutNumber(const Target& target, absl::string_view text, Set set, Add add) {
  Value value{};
  bool read = false;
  if constexpr (std::is_same_v<Value, double>) {
    read = absl::SimpleAtod(text, &value);
  } else if constexpr (std::is_same_v<Value, float>) {
    read = absl::SimpleAtof(text, &value);
  } else {
    read = absl::SimpleAtoi(text, &value);
  }
  if (read) Put(target, value, set, add);
  return read;
}

bool PutText(const Target& target, absl::string_view text) {
  using R = Reflection;
  switch (target.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: return PutNumber<int32_t>(target, text, &R::SetInt32, &R::AddInt32);
    case FieldDescriptor::CPPTYPE_INT64: return PutNumber<int64_t>(target, text, &R::SetInt64, &R::AddInt64);
    case FieldDescriptor::CPPTYPE_UINT32: return PutNumber<uint32_t>(target, text, &R::SetUInt32, &R::AddUInt32);
    case FieldDescriptor::CPPTYPE_UINT64: return PutNumber<uint64_t>(target, text, &R::SetUInt64, &R::AddUInt64);
    case FieldDescriptor::CPPTYPE_FLOAT: return PutNumber<float>(target, text, &R::SetFloat, &R::AddFloat);
    case FieldDescriptor::CPPTYPE_DOUBLE: return PutNumber<double>(target, text, &R::SetDouble, &R::AddDouble);
    case FieldDescriptor::CPPTYPE_BOOL:
      if (text != "true" && text != "false") return false;
      Put(target, text == "true", &R::SetBool, &R::AddBool);
      return true;
    case FieldDescriptor::CPPTYPE_ENUM: {
      const auto* value = target.field->enum_type()->FindValueByName(std::string(text));
      int number = 0;
      if (value == nullptr && absl::SimpleAtoi(text, &number)) {
        value = target.field->enum_type()->FindValueByNumber(number);
      }
      if (value == nullptr) return false;
      Put(target, value, &R::SetEnum, &R::AddEnum);
      return true;
    }
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string value(text);
      if (target.field->type() == FieldDescriptor::TYPE_BYTES && !absl::Base64Unescape(text, &value) &&
          !absl::WebSafeBase64Unescape(text, &value)) {
        return false;
      }
      if (target.field->type() == FieldDescriptor::TYPE_STRING && !IsUtf8(value)) return false;
      Put(target, std::move(value), &R::SetString, &R::AddString);
      return true;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      Message* message = target.field->is_repeated()
                             ? target.message->GetReflection()->AddMessage(target.message, target.field)
                             : target.message->GetReflection()->MutableMessage(target.message, target.field);
      // A duration, a time: what JSON writes as text.
      return google::protobuf::util::JsonStringToMessage(base::JsonQuote(text), message).ok();
    }
  }
  return false;
}

}  // namespace

absl::Status SetFieldFromText(absl::string_view path, absl::string_view text, Message* message) {
  SIGHTLINE_ASSIGN_OR_RETURN(const Target target, Walk(path, message));
  SIGHTLINE_RETURN_IF_ERROR(CheckUnset(path, target));
  if (PutText(target, text)) return absl::OkStatus();
  const char* type = target.field->message_type() != nullptr ? target.field->message_type()->name().c_str()
                     : target.field->enum_type() != nullptr  ? target.field->enum_type()->name().c_str()
                                                             : target.field->type_name();
  return FieldError("FIELD_VALUE_INVALID", path,
                    absl::StrCat("cannot be '", text.substr(0, kShownField), "': it is of type ", type,
                                 ". Write it as its JSON would have it."));
}

absl::Status SetBytesField(absl::string_view path, std::string bytes, Message* message) {
  SIGHTLINE_ASSIGN_OR_RETURN(const Target target, Walk(path, message));
  if (target.field->type() != FieldDescriptor::TYPE_BYTES) {
    return FieldError("FIELD_NOT_BYTES", path, "takes no file. Send it in the part `request`, as JSON.");
  }
  SIGHTLINE_RETURN_IF_ERROR(CheckUnset(path, target));
  Put(target, std::move(bytes), &Reflection::SetString, &Reflection::AddString);
  return absl::OkStatus();
}

}  // namespace sightline::server
