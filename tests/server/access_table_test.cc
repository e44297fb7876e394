// The access table against the API's own descriptors: an RPC without a row, and a row without an RPC, fail here.
#include "server/access_table.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "sightline/v1/collection_service.pb.h"
#include "sightline/v1/index_service.pb.h"
#include "sightline/v1/model_service.pb.h"
#include "sightline/v1/operation_service.pb.h"
#include "sightline/v1/search_service.pb.h"
#include "sightline/v1/server_service.pb.h"

namespace sightline::server {
namespace {

TEST(AccessTableTest, HasARowForEveryRpcAndNoOther) {
  std::set<std::string> methods;
  for (const google::protobuf::FileDescriptor* file :
       {v1::SearchRequest::descriptor()->file(), v1::IndexRequest::descriptor()->file(),
        v1::CreateCollectionRequest::descriptor()->file(), v1::ListModelsRequest::descriptor()->file(),
        v1::GetOperationRequest::descriptor()->file(), v1::GetServerInfoRequest::descriptor()->file()}) {
    for (int s = 0; s < file->service_count(); ++s) {
      const google::protobuf::ServiceDescriptor& service = *file->service(s);
      for (int m = 0; m < service.method_count(); ++m) {
        methods.insert(absl::StrCat(service.name(), "/", service.method(m)->name()));
      }
    }
  }
  EXPECT_GT(methods.size(), 30u);
  std::set<std::string> rows;
  for (const AccessRow& row : AccessTable()) {
    EXPECT_TRUE(rows.insert(std::string(row.method)).second) << row.method << " has two rows";
  }
  EXPECT_EQ(rows, methods);
}

TEST(AccessTableTest, NothingIsOpenThatIsNotInTheTable) {
  EXPECT_EQ(AccessOf("SearchService/Search"), Access::kRead);
  EXPECT_EQ(AccessOf("SearchService/search"), std::nullopt);
  EXPECT_EQ(AccessOf(""), std::nullopt);
}

}  // namespace
}  // namespace sightline::server
