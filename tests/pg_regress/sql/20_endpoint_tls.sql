-- Room 20, endpoint: what an endpoint asks of TLS, and the version of HTTP.
\set SHOW_CONTEXT never
select frontdesk.pause('regression test');
set client_min_messages = error;
\set ca '-----BEGIN CERTIFICATE-----\nMIIBiDCCAS+gAwIBAgIUX6Xml+HGDmZf7qwHc1OF3Cxdyj0wCgYIKoZIzj0EAwIw\nGTEXMBUGA1UEAwwOQmFuayBhdXRob3JpdHkwIBcNMjYxMTI3MjI0NDM1WhgPMjEy\nNjExMDMyMjQ0MzVaMBkxFzAVBgNVBAMMDkJhbmsgYXV0aG9yaXR5MFkwEwYHKoZI\nzj0CAQYIKoZIzj0DAQcDQgAEc4Stk+opKtJbf0g97l1DteiGbbyuviyj0gpEfxBJ\nGEBMB5QJ8TVYb+cqUfxKNBHRhmQsHpK452sHbFbT8XCiUaNTMFEwHQYDVR0OBBYE\nFL3sfV7yepaq27RVq0RmRcjXznCaMB8GA1UdIwQYMBaAFL3sfV7yepaq27RVq0Rm\nRcjXznCaMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgebnVTWDc\nRZBdDrDihfYdtL15biMFwf5zcCD/kUTxRdMCIF3f1J13nDg4b/dc3160bqJ9GQja\n2RZ6j447LnsCAeBm\n-----END CERTIFICATE-----'

-- The view says what is set, not what it is.

select frontdesk.add_endpoint('bank', 'https://bank.example.com/hooks', http => '2', tls => jsonb_build_object(
  'ca', :'ca', 'pin', array['sha256/MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI='])) is not null as added;
select frontdesk.add_endpoint('plain', 'http://plain.example.com/hooks', http => '2') is not null as added;
select name, tls, http from frontdesk.endpoints order by name;

-- null keeps it; JSON null removes it; what is given replaces all of it.

select frontdesk.alter_endpoint('bank', timeout_ms => 5000);
select tls, http from frontdesk.endpoints where name = 'bank';
select frontdesk.alter_endpoint('bank', tls => '{"pin": "sha256/MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="}', http => '1.1');
select tls, http from frontdesk.endpoints where name = 'bank';
select frontdesk.alter_endpoint('bank', tls => 'null', http => 'auto');
select tls, http from frontdesk.endpoints where name = 'bank';
select frontdesk.add_endpoint('none', 'https://none.example.com', tls => 'null') is not null as added;
select tls, http from frontdesk.endpoints where name = 'none';

-- Mistakes are found when they are declared.

select frontdesk.alter_endpoint('bank', http => '3');
select frontdesk.alter_endpoint('plain', tls => jsonb_build_object('ca', :'ca'));
select frontdesk.alter_endpoint('bank', tls => jsonb_build_object('ca', :'ca'));
select frontdesk.alter_endpoint('bank', url => 'http://bank.example.com/hooks');
select frontdesk.alter_endpoint('bank', url => 'http://bank.example.com/hooks', tls => 'null');
select url, tls from frontdesk.endpoints where name = 'bank';

select frontdesk.check_tls('{}');
select frontdesk.check_tls('[]');
select frontdesk.check_tls('{"cert": "x"}');
select frontdesk.check_tls('{"ca": 1}');
select frontdesk.check_tls('{"ca": "x"}');
select frontdesk.check_tls(jsonb_build_object('ca', replace(:'ca', 'MII', 'MIA')));
select frontdesk.check_tls(jsonb_build_object('ca', replace(:'ca', '-----END', '----END')));
select frontdesk.check_tls('{"pin": ["sha256/AAAA"]}');
select frontdesk.check_tls('{"pin": [1]}');
select frontdesk.check_tls('{"pin": []}');
select frontdesk.check_tls(jsonb_build_object('client_certificate', :'ca'));
select frontdesk.check_tls('{"client_key": "a key, which is not repeated"}');
select frontdesk.check_tls(jsonb_build_object('client_certificate', :'ca', 'client_key', 'a key, which is not repeated'));
select frontdesk.check_tls(jsonb_build_object('client_certificate', :'ca', 'client_key', '-----BEGIN ENCRYPTED PRIVATE KEY-----'));
select frontdesk.check_tls(jsonb_build_object('ca', :'ca')) is not null as fine;
set frontdesk.fake_now = '2200-01-01T00:00:00Z';
select frontdesk.check_tls(jsonb_build_object('ca', :'ca'));
reset frontdesk.fake_now;
