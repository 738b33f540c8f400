-- Room 20, endpoint: bad input is refused when it is declared: SQLSTATE, what, which, and what to do.
\set SHOW_CONTEXT never
select frontdesk.pause('regression test');

-- Where no key is set, secrets are kept as they are, and that is said once in a session.

select frontdesk.add_endpoint('taken', 'https://hooks.example.com/', secret => 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');

-- Names.

select frontdesk.add_endpoint('taken', 'https://hooks.example.com/');
\echo :SQLSTATE
select frontdesk.add_endpoint('', 'https://hooks.example.com/');
\echo :SQLSTATE
select frontdesk.add_endpoint(null, 'https://hooks.example.com/');
\echo :SQLSTATE
select frontdesk.add_endpoint('-x', 'https://hooks.example.com/');
\echo :SQLSTATE
select frontdesk.add_endpoint(repeat('x', 101), 'https://hooks.example.com/');
\echo :SQLSTATE
select frontdesk.alter_endpoint('tkaen', timeout_ms => 1000);
\echo :SQLSTATE
select frontdesk.remove_endpoint('nobody');
\echo :SQLSTATE
select frontdesk.pause_endpoint(null);
\echo :SQLSTATE
select frontdesk.resume_endpoint('nobody');
\echo :SQLSTATE
select frontdesk.test_endpoint('nobody');
\echo :SQLSTATE
select frontdesk.rotate_secret('nobody');
\echo :SQLSTATE

-- URLs.

select frontdesk.add_endpoint('bad', null);
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', '');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'hooks.example.com/in');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https:///path');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'ftp://hooks.example.com/');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'file:///etc/passwd');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://user:pass@hooks.example.com/');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com:99999/');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', E'https://hooks.example.com/\r\nX-Evil: 1');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks example com/');
\echo :SQLSTATE

-- Addresses that are refused, in every spelling.

select frontdesk.add_endpoint('bad', 'http://10.0.0.1/');
\echo :SQLSTATE
select url, frontdesk.check_url(url) from (values ('http://192.168.1.1/')) v (url);
create function refused(url text) returns text language plpgsql as $$
begin
  return 'allowed: ' || frontdesk.check_url(url);
exception when invalid_parameter_value then
  return sqlerrm;
end
$$;
select url, refused(url) from unnest(array[
  'http://169.254.169.254/latest/meta-data/', 'http://100.64.0.1/', 'http://172.16.5.4/', 'http://0.0.0.0/', 'http://224.0.0.1/',
  'http://255.255.255.255/', 'http://2852039166/', 'http://0xa9fea9fe/', 'http://0251.0376.0251.0376/', 'http://10.1/', 'http://[fe80::1]/',
  'http://[fc00::1]/', 'http://[::]/', 'http://[::ffff:10.0.0.1]/', 'http://[64:ff9b::a00:1]/', 'http://[2002:a00:1::]/',
  'http://[ff02::1]/', 'http://127.0.0.1:1/', 'http://[::1]:1/', 'http://93.184.215.14/', 'http://localhost/', 'http://[2606:2800::1]/']) url;

-- Patterns.

select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', events => '{}');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', events => null);
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', events => '{lead..won}');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', events => '{lead.w*n}');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', events => '{""}');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', events => array['lead.*', null]);
\echo :SQLSTATE

-- Headers.

select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', headers => '[]');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', headers => '{"X-N": 1}');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', headers => '{"X-A": "a\r\nX-Evil: 1"}');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', headers => '{"X A": "a"}');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', headers => '{"": "a"}');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', headers => '{"Host": "a"}');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', headers => '{"webhook-signature": "v1,AAAA"}');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', headers => '{"content-length": "3"}');
\echo :SQLSTATE

-- Filters, payloads, signatures, retry policies.

select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', filter => '{"new.a": {"$gte": 1, "$near": 2}}');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', payload => 'slack');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', payload => '{"text": {{ data.name }');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', payload => '{{ data.name | no_such_filter }}');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', payload => null);
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', signature => 'md5');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', signature => 'sha256:Not A Header');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', signature => 'sha256:Host');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', retry => '{"delays": ["soon"]}');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', retry => '{"delay": ["1s"]}');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', retry => '{"delays": ["-1s"]}');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', retry => '"1s"');
\echo :SQLSTATE

-- Secrets. No error repeats one.

select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', secret => 'short');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', secret => 'whsec_not*base64*at*all*but*long*enough*');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', secret => 'whsec_c2hvcnQ=');
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', secret => 'whsec_' || encode(sha512('x') || sha512('y'), 'base64'));
\echo :SQLSTATE
select frontdesk.rotate_secret('taken', '');
\echo :SQLSTATE
select frontdesk.rotate_secret('taken', overlap => '-1 s');
\echo :SQLSTATE
select frontdesk.rotate_secret('taken', overlap => '1 year');
\echo :SQLSTATE
select frontdesk.rotate_secret('taken', overlap => null);
\echo :SQLSTATE

-- Limits.

select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', timeout_ms => 99);
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', timeout_ms => 120001);
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', timeout_ms => null);
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', max_in_flight => 0);
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', max_in_flight => 20001);
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', rate_per_second => 0);
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', rate_per_second => -1);
\echo :SQLSTATE
select frontdesk.add_endpoint('bad', 'https://hooks.example.com/', rate_per_second => 'NaN');
\echo :SQLSTATE
select frontdesk.alter_endpoint('taken', rate_per_second => 1e9);
\echo :SQLSTATE

-- Nothing of all this changed anything.

select name, url, events, timeout_ms, secrets from frontdesk.endpoints;
