// CollectionOf: the collection a message is about, empty where it names none.
#ifndef SIGHTLINE_SERVER_RPC_COLLECTION_OF_H_
#define SIGHTLINE_SERVER_RPC_COLLECTION_OF_H_

#include <concepts>
#include <string>

#include "absl/strings/string_view.h"
#include "sightline/v1/collection_service.pb.h"

namespace sightline::server {

template <typename Message>
concept NamesCollection = requires(const Message& message) {
  { message.collection() } -> std::convertible_to<const std::string&>;
};

// An item of a stream, which carries a request.
template <typename Message>
concept CarriesRequest = requires(const Message& message) {
  { message.request().collection() } -> std::convertible_to<const std::string&>;
};

template <typename Message>
absl::string_view CollectionOf(const Message& message) {
  if constexpr (NamesCollection<Message>) {
    return message.collection();
  } else if constexpr (CarriesRequest<Message>) {
    return message.request().collection();
  } else {
    return "";
  }
}

// Where a message's own name is a collection's.
inline absl::string_view CollectionOf(const v1::CreateCollectionRequest& message) { return message.name(); }
inline absl::string_view CollectionOf(const v1::GetCollectionRequest& message) { return message.name(); }
inline absl::string_view CollectionOf(const v1::UpdateCollectionRequest& message) { return message.name(); }
inline absl::string_view CollectionOf(const v1::DeleteCollectionRequest& message) { return message.name(); }
inline absl::string_view CollectionOf(const v1::OptimizeCollectionRequest& message) { return message.name(); }
inline absl::string_view CollectionOf(const v1::ReembedCollectionRequest& message) { return message.name(); }
inline absl::string_view CollectionOf(const v1::DropOtherSpaceRequest& message) { return message.name(); }
// An alias counts by its own name.
inline absl::string_view CollectionOf(const v1::DeleteAliasRequest& message) { return message.alias(); }

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_COLLECTION_OF_H_
