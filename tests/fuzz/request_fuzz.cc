// Any bytes as a request message, taken as far as it goes before anything is searched or written: what gRPC parses, the
// checks of its fields, and its conversion. The first byte says which message.
#include <string>

#include "index/collection.h"
#include "index/validate.h"
#include "server/convert.h"
#include "server/operations_file.h"
#include "server/page_token.h"
#include "server/services/field_checks.h"
#include "server/services/query_parts.h"
#include "server/services/rerank_choice.h"
#include "server/services/search_request.h"
#include "sightline/v1/collection_service.pb.h"
#include "sightline/v1/index_service.pb.h"
#include "sightline/v1/search_service.pb.h"
#include "tests/fuzz/fuzz_check.h"

namespace sightline::server {
namespace {

const Limits& TheLimits() {
  static const Limits limits;
  return limits;
}

index::CollectionConfig Config() {
  index::CollectionConfig config;
  config.name = "shop";
  config.embedding_space = "s";
  config.token_space = "t";
  config.descriptor_dim = 4;
  return config;
}

void TrySearch(const v1::SearchRequest& message) {
  const absl::Status valid = ValidateSearch(message, TheLimits());
  testing::CheckAnswer(valid);
  if (!valid.ok()) return;
  ChooseRerank(message.rerank(), nullptr);
  const index::CollectionConfig config = Config();
  QueryParts parts(message.query(), config);
  for (int i = 0; i < message.query().parts_size(); ++i) {
    if (!message.query().parts(i).has_global_descriptor()) return;
    const absl::Status added = parts.AddDescriptor(i, TheLimits().record);
    testing::CheckAnswer(added);
    if (!added.ok()) return;
  }
  testing::CheckAnswer(parts.Descriptor().status());
  testing::CheckAnswer(parts.Tokens().status());
}

void TryIndex(const v1::IndexRequest& message) {
  const v1::ImageItem& item = message.item();
  index::Record record;
  record.id = item.id();
  auto attributes = FromProto(item.attributes());
  testing::CheckAnswer(attributes.status());
  if (attributes.ok()) record.attributes = *std::move(attributes);
  if (item.has_global_descriptor()) {
    testing::CheckAnswer(ValidateVector(item.global_descriptor(), Config()));
    record.descriptor.assign(item.global_descriptor().values().begin(), item.global_descriptor().values().end());
    testing::CheckAnswer(index::NormalizeDescriptor(record.descriptor, Config().descriptor_dim).status());
  }
  if (item.has_tokens()) {
    auto tokens = FromProto(item.tokens());
    testing::CheckAnswer(tokens.status());
    if (tokens.ok()) record.tokens = *std::move(tokens);
  }
  testing::CheckAnswer(index::ValidateRecord(record, TheLimits().record, /*allow_empty_id=*/true));
}

void TrySettings(const v1::CreateCollectionRequest& message) {
  testing::CheckAnswer(index::ValidateCollectionName(message.name()));
}

void TryList(const v1::ListImagesRequest& message) {
  testing::CheckAnswer(PageSize(message.page_size(), TheLimits().max_page_size).status());
}

void TryUpdate(const v1::UpdateAttributesRequest& message) {
  testing::CheckAnswer(FromProto(message.set()).status());
  for (const std::string& key : message.remove()) {
    testing::CheckAnswer(CheckAttributeKey("remove", key, TheLimits().record));
  }
}

template <typename Message>
void Try(const std::string& bytes, void (*with)(const Message&)) {
  Message message;
  if (message.ParseFromString(bytes)) with(message);
}

}  // namespace
}  // namespace sightline::server

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline::server;  // NOLINT(google-build-using-namespace): a program of one function
  if (size < 1) return 0;
  const std::string bytes(sightline::testing::View(data + 1, size - 1));
  switch (data[0] % 6) {
    case 0: Try(bytes, &TrySearch); break;
    case 1: Try(bytes, &TryIndex); break;
    case 2: Try(bytes, &TrySettings); break;
    case 3: Try(bytes, &TryList); break;
    case 4: Try(bytes, &TryUpdate); break;
    default: sightline::testing::CheckAnswer(DecodeOperations(bytes).status());
  }
  return 0;
}
