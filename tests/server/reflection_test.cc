// What server reflection answers, to questions that make sense and to others.
#include "server/rpc/reflection.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include "sightline/v1/search_service.pb.h"

namespace sightline::server {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptorProto;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ServerReflectionResponse Answer(const ServerReflectionRequest& request) {
  ServerReflectionResponse reply;
  AnswerReflection({"sightline.v1.SearchService", "grpc.health.v1.Health"}, request, &reply);
  EXPECT_EQ(reply.original_request().SerializeAsString(), request.SerializeAsString());
  return reply;
}

// A pool that knows the files of the reply and nothing else, as grpcurl has it: each file is there, once.
void ExpectComplete(const ServerReflectionResponse& reply, DescriptorPool* pool) {
  const auto& files = reply.file_descriptor_response().file_descriptor_proto();
  ASSERT_GT(files.size(), 0);
  std::map<std::string, FileDescriptorProto> by_name;
  for (const std::string& bytes : files) {
    FileDescriptorProto file;
    ASSERT_TRUE(file.ParseFromString(bytes));
    EXPECT_TRUE(by_name.emplace(file.name(), file).second) << file.name() << " came twice";
  }
  // What a file imports first.
  const std::function<void(const std::string&)> build = [&](const std::string& name) {
    if (pool->FindFileByName(name) != nullptr) return;
    ASSERT_TRUE(by_name.contains(name)) << name;
    for (const std::string& import : by_name[name].dependency()) build(import);
    ASSERT_NE(pool->BuildFile(by_name[name]), nullptr) << name;
  };
  for (const auto& [name, file] : by_name) build(name);
}

TEST(ReflectionTest, ListsTheServices) {
  ServerReflectionRequest request;
  request.set_list_services("*");
  request.set_host("here");
  const ServerReflectionResponse reply = Answer(request);
  ASSERT_EQ(reply.list_services_response().service_size(), 2);
  EXPECT_EQ(reply.list_services_response().service(0).name(), "sightline.v1.SearchService");
  EXPECT_EQ(reply.valid_host(), "here");
}

TEST(ReflectionTest, DescribesWhatIsAskedForAndAllThatItImports) {
  for (const char* symbol : {"sightline.v1.SearchService", "sightline.v1.SearchService.Search",
                             "sightline.v1.SearchRequest", "grpc.health.v1.Health"}) {
    ServerReflectionRequest request;
    request.set_file_containing_symbol(symbol);
    DescriptorPool pool;
    ExpectComplete(Answer(request), &pool);
    EXPECT_NE(pool.FindFileContainingSymbol(symbol), nullptr) << symbol;
  }
  ServerReflectionRequest request;
  request.set_file_by_filename(v1::SearchRequest::descriptor()->file()->name());
  DescriptorPool pool;
  ExpectComplete(Answer(request), &pool);
  EXPECT_NE(pool.FindMessageTypeByName("sightline.v1.SearchRequest"), nullptr);
}

TEST(ReflectionTest, KnowsTheExtensions) {
  constexpr int kHttp = 72295728;  // google.api.http
  ServerReflectionRequest request;
  request.set_all_extension_numbers_of_type("google.protobuf.MethodOptions");
  EXPECT_THAT(Answer(request).all_extension_numbers_response().extension_number(), Contains(kHttp));
  request.mutable_file_containing_extension()->set_containing_type("google.protobuf.MethodOptions");
  request.mutable_file_containing_extension()->set_extension_number(kHttp);
  DescriptorPool pool;
  ExpectComplete(Answer(request), &pool);
  EXPECT_NE(pool.FindExtensionByName("google.api.http"), nullptr);
}

TEST(ReflectionTest, SaysWhatItDoesNotHave) {
  const std::string hostile = "no\nsuch\x7f" + std::string(1000, 'x');
  std::vector<ServerReflectionRequest> requests(5);
  requests[0].set_file_by_filename(hostile);
  requests[1].set_file_containing_symbol(hostile);
  requests[2].mutable_file_containing_extension()->set_containing_type(hostile);
  requests[3].set_all_extension_numbers_of_type(hostile);
  requests[4].mutable_file_containing_extension()->set_containing_type("sightline.v1.SearchRequest");
  for (const ServerReflectionRequest& request : requests) {
    const ServerReflectionResponse reply = Answer(request);
    EXPECT_EQ(reply.error_response().error_code(), 5) << request.message_request_case();
    EXPECT_THAT(reply.error_response().error_message(), HasSubstr("this server has no "));
    EXPECT_LT(reply.error_response().error_message().size(), 600U);
  }
  EXPECT_EQ(Answer({}).error_response().error_code(), 3);
}

}  // namespace
}  // namespace sightline::server
